import { pythonText, shellText } from "../format/quoting";
import type { ModelFile } from "./modelFile";
import type { Column } from "./schema";

export interface Snippet {
  title: string;
  language: "python" | "bash";
  text: string;
}

/** Flavors that have a module of their own by the same name. */
const MODULES = ["sklearn", "pytorch", "tensorflow", "keras", "xgboost", "lightgbm", "fastai"];
const COLUMNS_MAX = 20;
const EXAMPLES: Record<string, string> = {
  boolean: "True",
  integer: "1",
  long: "1",
  float: "1.0",
  double: "1.0",
  string: '"text"',
};

/** How to use the model that a URI names, from a server: to be pasted, so every name in it is quoted. */
export function snippets(uri: string, server: string, file: ModelFile | undefined): Snippet[] {
  const begin = `import stepwell\n\nstepwell.set_tracking_uri(${pythonText(server)})\n`;
  const own = file?.flavors.find((flavor) => MODULES.includes(flavor));
  const { imports, lines } = data(file?.schema?.inputs ?? []);
  return [
    {
      title: "Load and predict",
      language: "python",
      text: `${imports}${begin}model = stepwell.pyfunc.load_model(${pythonText(uri)})\n${lines}print(model.predict(data))\n`,
    },
    ...(own
      ? ([
          {
            title: `As the library's own object (${own})`,
            language: "python",
            text: `${begin}model = stepwell.${own}.load_model(${pythonText(uri)})\n`,
          },
        ] as const)
      : []),
    {
      title: "Serve over HTTP",
      language: "bash",
      text: `export STEPWELL_TRACKING_URI=${shellText(server)}\nstepwell models serve -m ${shellText(uri)} -p 5001\n`,
    },
  ];
}

function data(inputs: Column[]): { imports: string; lines: string } {
  const isSimple = inputs.length > 0 && inputs.every(({ name, type }) => name && Object.hasOwn(EXAMPLES, type));
  if (!isSimple || inputs.length > COLUMNS_MAX) return { imports: "", lines: "data = ...  # as its inputs say\n" };
  const cells = inputs.map(({ name, type }) => `${pythonText(name)}: [${EXAMPLES[type]}]`);
  const inside = cells.length > 2 ? cells.map((cell) => `\n    ${cell},`).join("") + "\n" : cells.join(", ");
  return { imports: "import pandas as pd\n", lines: `data = pd.DataFrame({${inside}})\n` };
}
