import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { isAway, isBroken, isSignedOut } from "./api/failures";
import { Gate } from "./pages/access/Gate";
import { router } from "./routes";
import { showTheme } from "./theme/theme";
import "./theme/font.css";
import "./theme/tokens.css";

const AWAY_RETRIES_MAX = 3;

// Whatever is refused because nobody is signed in any more: ask who is, and the gate shows what to do.
const onError = (error: unknown) => {
  if (isSignedOut(error)) void queries.invalidateQueries({ queryKey: ["session"] });
};

const queries: QueryClient = new QueryClient({
  queryCache: new QueryCache({ onError }),
  mutationCache: new MutationCache({ onError }),
  defaultOptions: {
    queries: {
      // A refusal stays one; a server that is away, or that failed, is asked again.
      retry: (failures, error) => failures < (isAway(error) ? AWAY_RETRIES_MAX : isBroken(error) ? 1 : 0),
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
