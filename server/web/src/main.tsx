import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { isAway, isSignedOut } from "./api/failures";
import { Gate } from "./pages/access/Gate";
import { router } from "./routes";
import { showTheme } from "./theme/theme";
import "./theme/font.css";
import "./theme/tokens.css";

const RETRIES_MAX = 3;

// Whatever is refused because nobody is signed in any more: ask who is, and the gate shows what to do.
const onError = (error: unknown) => {
  if (isSignedOut(error)) void queries.invalidateQueries({ queryKey: ["session"] });
};

const queries: QueryClient = new QueryClient({
  queryCache: new QueryCache({ onError }),
  mutationCache: new MutationCache({ onError }),
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
      <Gate>
        <RouterProvider router={router} />
      </Gate>
    </QueryClientProvider>
  </StrictMode>,
);
