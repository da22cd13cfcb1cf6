/** Where a writer's log is known up to. */
export interface Position {
  runId: string;
  writerId: string;
  position: bigint;
}

/** How far the runs that are watched are known, writer by writer; runs that are let go are forgotten. */
export class Positions {
  private readonly runs = new Map<string, Map<string, bigint>>();

  /** The runs of which it is known where their writers stand; they may have no writers yet. */
  isKnown(runId: string): boolean {
    return this.runs.has(runId);
  }

  learn(runIds: string[], told: Position[]): void {
    for (const runId of runIds) if (!this.runs.has(runId)) this.runs.set(runId, new Map());
    for (const { runId, writerId, position } of told) this.runs.get(runId)?.set(writerId, position);
  }

  keepOnly(runIds: string[]): void {
    const kept = new Set(runIds);
    for (const runId of this.runs.keys()) if (!kept.has(runId)) this.runs.delete(runId);
  }

  all(): Position[] {
    return [...this.runs].flatMap(([runId, writers]) =>
      [...writers].map(([writerId, position]) => ({ runId, writerId, position })),
    );
  }
}
