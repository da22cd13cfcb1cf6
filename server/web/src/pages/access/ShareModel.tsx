import { Share } from "./Share";

export function ShareModel({ name, onClose }: { name: string; onClose: () => void }) {
  return <Share thing={{ case: "model", value: name }} title={name} onClose={onClose} />;
}
