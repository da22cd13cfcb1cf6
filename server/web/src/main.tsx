import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { isAway } from "./api/failures";
import { router } from "./routes";
import { showTheme } from "./theme/theme";
import "./theme/font.css";
import "./theme/tokens.css";

const RETRIES_MAX = 3;

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // A refusal stays one; only a server that is away is asked again.
      retry: (failures, error) => isAway(error) && failures < RETRIES_MAX,
      networkMode: "always",
      staleTime: 1_000,
    },
    mutations: { networkMode: "always" },
  },
});

showTheme();
const page = document.getElementById("page");
if (!page) throw new Error("The document has no place for the page.");
createRoot(page).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);
