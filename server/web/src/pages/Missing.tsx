import { Link } from "@tanstack/react-router";

import { Empty } from "../parts/Notice";

export function Missing() {
  return (
    <Empty title="There is no such page">
      <Link to="/">All experiments</Link>
    </Empty>
  );
}
