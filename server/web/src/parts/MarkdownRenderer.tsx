import ReactMarkdown from "react-markdown";
import remarkGfm from "remark-gfm";

// Raw HTML stays text, and addresses of scripts are left out: both are what the library does unless told otherwise.
export default function MarkdownRenderer({ text }: { text: string }) {
  return (
    <ReactMarkdown
      remarkPlugins={[remarkGfm]}
      components={{ a: ({ node: _, ...rest }) => <a {...rest} target="_blank" rel="noopener noreferrer nofollow" /> }}
    >
      {text}
    </ReactMarkdown>
  );
}
