"""What each level lets one do, of every method of the contract, with things that one sees in any case."""

import grpc

from stepwell_server.model.access import Level, Subject, SubjectKind, Thing, ThingKind
from stepwell_server.store.access.grants import PostgresGrantStore
from tests.harness.every_call import methods, outcome, request_for
from tests.harness.hidden import OF_ONESELF, SECRET, hide
from tests.harness.servers.access import GuardedServer, experiment

# It reads, and does not end.
ENDLESS = {"Watch"}
# Changes what a search finds: nothing is denied, and nothing is found that one may not change.
NARROWED = "ChangeRuns"
WRITING = {
    "AbandonUploads AddRows BeginUploads CompleteUploads DeleteArtifacts GetUpload SignParts Upload UploadSmall",
    "CreateRun DeleteRun DeleteTag LogInputs RestoreRun RewindRun UndoRewind UpdateRun Stream",
    "CreateLoggedModel DeleteLoggedModel DeleteLoggedModelTag FinalizeLoggedModel LinkLoggedModels",
    "LogLoggedModelParams RestoreLoggedModel SetLoggedModelTags DeleteExperimentTag DeleteView SaveView",
    "CreateModelVersion DeleteModelVersion DeleteModelVersionTag TransitionStage UpdateModelVersion",
    "DeleteAlias DeleteRegisteredModelTag SetAlias",
}
MANAGING = {
    "DeleteExperiment RestoreExperiment UpdateExperiment DeleteRegisteredModel UpdateRegisteredModel",
    "Grant RevokeGrant",
}
FOR_ADMINS = {
    "AddGroup AddUser ChangeGroup ChangeUser ListGroups ListUsers RemoveGroup RemoveUser SetPassword",
    "CreateWebhook DeleteWebhook ListWebhooks TestWebhook UpdateWebhook ListAudit ListGrants SetDefaultLevel",
    "MoveArtifacts VerifyArtifacts",
}


async def test_what_readers_and_writers_may_not_do(guarded: GuardedServer) -> None:
    ben, ann = await guarded.add("ben"), await guarded.add("ann")
    hidden = await hide(guarded, ann)
    assert guarded.running.pool is not None
    grants, to_ben = PostgresGrantStore(guarded.running.pool), Subject(SubjectKind.ACCOUNT, "ben")
    things = experiment(hidden.values["experiment_id"]), Thing(ThingKind.MODEL, SECRET)
    async with guarded.calls_of(ben) as channel:
        for level, forbidden in (
            (Level.READ, WRITING | MANAGING | FOR_ADMINS),
            (Level.WRITE, MANAGING | FOR_ADMINS),
        ):
            for thing in things:
                await grants.grant(to_ben, thing, level)
            denied = set()
            for method in methods():
                if method.name in OF_ONESELF | ENDLESS:
                    continue
                found = await outcome(channel, method, request_for(method, hidden.values))
                if found.status is grpc.StatusCode.PERMISSION_DENIED:
                    denied.add(method.name)
                if method.name == NARROWED:
                    assert (found.status, bool(found.told)) == (grpc.StatusCode.OK, level is Level.WRITE)
            assert denied == set(" ".join(forbidden).split()), level.name
