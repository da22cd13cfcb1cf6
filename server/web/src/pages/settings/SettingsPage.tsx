import { getRouteApi } from "@tanstack/react-router";

import { Tabs } from "../../parts/Tabs";
import { useTitle } from "../../parts/useTitle";
import { usePerson, type Person } from "../../queries/session";
import { AuditTab } from "./AuditTab";
import { GroupsTab } from "./GroupsTab";
import { ServerTab } from "./ServerTab";
import styles from "./SettingsPage.module.css";
import { TokensTab } from "./TokensTab";
import { UsersTab } from "./UsersTab";

const route = getRouteApi("/settings");

const OF_EVERYBODY = [
  { id: "server", label: "Server" },
  { id: "tokens", label: "My tokens" },
];
const OF_ADMINS = [
  { id: "users", label: "Users" },
  { id: "groups", label: "Groups" },
  { id: "audit", label: "Audit" },
];

/** How the server is, and, where it knows accounts, who may come in. */
export function SettingsPage() {
  const person = usePerson();
  const { tab = "server" } = route.useSearch();
  const navigate = route.useNavigate();
  useTitle("Settings");
  const tabs = person?.isAdmin ? [...OF_EVERYBODY, ...OF_ADMINS] : OF_EVERYBODY;
  const chosen = tabs.some(({ id }) => id === tab) ? tab : "server";
  return (
    <>
      {person && (
        <Tabs
          tabs={tabs}
          chosen={chosen}
          onChoose={(id) => void navigate({ search: { tab: id === "server" ? undefined : id } })}
        />
      )}
      <div className={styles.page}>
        <h1>Settings</h1>
        {person ? <Chosen tab={chosen} person={person} /> : <ServerTab />}
      </div>
    </>
  );
}

function Chosen({ tab, person }: { tab: string; person: Person }) {
  switch (tab) {
    case "tokens":
      return <TokensTab />;
    case "users":
      return <UsersTab me={person.name} />;
    case "groups":
      return <GroupsTab />;
    case "audit":
      return <AuditTab />;
    default:
      return <ServerTab />;
  }
}
