"""AccessService and AccountService on the wire: check, call, map, answer."""

from typing import TYPE_CHECKING, Any

from stepwell_api.v1 import access_pb2 as pb
from stepwell_api.v1 import access_pb2_grpc
from stepwell_server.errors import InvalidArgumentError, InvalidStateError
from stepwell_server.model.access import (
    AUDIT_DEFAULT,
    Account,
    AccountKind,
    AuditEntry,
    AuditWanted,
    Grant,
    Group,
    Level,
    Scope,
    Subject,
    SubjectKind,
    Thing,
    ThingKind,
    Token,
    TokenSpec,
)

if TYPE_CHECKING:
    from stepwell_server.services.access.together import AccessServices

_NO_ACCOUNTS = "this server runs without accounts, so everybody may do everything; --auth starts it with some"


class _OfAccounts:
    """What both servicers have; without services they say that there are no accounts."""

    def __init__(self, services: "AccessServices | None") -> None:
        self._services = services

    @property
    def _its(self) -> "AccessServices":
        if self._services is None:
            raise InvalidStateError(_NO_ACCOUNTS)
        return self._services


class AccessServicer(_OfAccounts, access_pb2_grpc.AccessServiceServicer):
    """Answers the calls of `AccessService` in access.proto."""

    async def WhoAmI(self, request: pb.WhoAmIRequest, context: Any) -> pb.WhoAmIResponse:  # noqa: N802
        """Tell who calls."""
        who = await self._its.accounts.who()
        return pb.WhoAmIResponse(
            name=who.name,
            is_admin=who.is_admin,
            scope=pb.TokenScope.ValueType(who.scope),
            experiment_ids=sorted(who.experiment_ids or ()),
            is_limited=who.experiment_ids is not None,
            means=who.means,
        )

    async def CreateToken(self, request: pb.CreateTokenRequest, context: Any) -> pb.CreateTokenResponse:  # noqa: N802
        """Make a token."""
        spec = TokenSpec(
            request.name,
            parse_scope(request.scope),
            request.expires_time_ms or None,
            list(request.experiment_ids) or None,
        )
        token, secret = await self._its.tokens.create(request.account, spec)
        return pb.CreateTokenResponse(token=token_to_proto(token), secret=secret)

    async def ListTokens(self, request: pb.ListTokensRequest, context: Any) -> pb.ListTokensResponse:  # noqa: N802
        """Return tokens."""
        found = await self._its.tokens.list(None if request.all else request.account)
        return pb.ListTokensResponse(tokens=map(token_to_proto, found))

    async def RevokeToken(self, request: pb.RevokeTokenRequest, context: Any) -> pb.RevokeTokenResponse:  # noqa: N802
        """Revoke a token."""
        return pb.RevokeTokenResponse(token=token_to_proto(await self._its.tokens.revoke(request.token_id)))

    async def Grant(self, request: pb.GrantRequest, context: Any) -> pb.GrantResponse:  # noqa: N802
        """Grant something."""
        wanted = request.grant
        granted = await self._its.grants.grant(
            parse_subject(wanted.subject), parse_thing(wanted.thing), parse_level(wanted.level)
        )
        return pb.GrantResponse(grant=grant_to_proto(granted))

    async def RevokeGrant(self, request: pb.RevokeGrantRequest, context: Any) -> pb.RevokeGrantResponse:  # noqa: N802
        """Take a grant back."""
        subject, thing = parse_subject(request.subject), parse_thing(request.thing)
        return pb.RevokeGrantResponse(found=await self._its.grants.revoke(subject, thing))

    async def ListGrants(self, request: pb.ListGrantsRequest, context: Any) -> pb.ListGrantsResponse:  # noqa: N802
        """Return grants."""
        grants = self._its.grants
        if request.HasField("thing"):
            if request.HasField("subject"):
                raise InvalidArgumentError("name a thing or a subject, and not both")
            found, default = await grants.of(parse_thing(request.thing))
        else:
            subject = parse_subject(request.subject) if request.HasField("subject") else None
            found, default = await grants.all(subject)
        return pb.ListGrantsResponse(grants=map(grant_to_proto, found), default_level=level_to_proto(default))

    async def SetDefaultLevel(  # noqa: N802
        self, request: pb.SetDefaultLevelRequest, context: Any
    ) -> pb.SetDefaultLevelResponse:
        """Set what everybody may do."""
        await self._its.grants.set_default(parse_level(request.level))
        return pb.SetDefaultLevelResponse()

    async def ListAudit(self, request: pb.ListAuditRequest, context: Any) -> pb.ListAuditResponse:  # noqa: N802
        """Return what was done."""
        wanted = AuditWanted(
            request.account, request.action, request.before_number, request.limit or AUDIT_DEFAULT
        )
        return pb.ListAuditResponse(entries=map(entry_to_proto, await self._its.audit.list(wanted)))


class AccountServicer(_OfAccounts, access_pb2_grpc.AccountServiceServicer):
    """Answers the calls of `AccountService` in access.proto."""

    async def AddUser(self, request: pb.AddUserRequest, context: Any) -> pb.AddUserResponse:  # noqa: N802
        """Add an account."""
        kind = AccountKind.SERVICE if request.is_service else AccountKind.USER
        added = await self._its.accounts.add(
            request.name, kind, request.password or None, is_admin=request.is_admin
        )
        return pb.AddUserResponse(user=user_to_proto(added))

    async def ListUsers(self, request: pb.ListUsersRequest, context: Any) -> pb.ListUsersResponse:  # noqa: N802
        """Return accounts."""
        return pb.ListUsersResponse(users=map(user_to_proto, await self._its.accounts.list(request.after)))

    async def ChangeUser(self, request: pb.ChangeUserRequest, context: Any) -> pb.ChangeUserResponse:  # noqa: N802
        """Change an account."""
        changed = await self._its.accounts.change(
            request.name,
            is_admin=request.is_admin if request.HasField("is_admin") else None,
            is_active=request.is_active if request.HasField("is_active") else None,
        )
        return pb.ChangeUserResponse(user=user_to_proto(changed))

    async def RemoveUser(self, request: pb.RemoveUserRequest, context: Any) -> pb.RemoveUserResponse:  # noqa: N802
        """Remove an account."""
        await self._its.accounts.remove(request.name)
        return pb.RemoveUserResponse()

    async def SetPassword(self, request: pb.SetPasswordRequest, context: Any) -> pb.SetPasswordResponse:  # noqa: N802
        """Set a password."""
        await self._its.accounts.set_password(request.name, request.password)
        return pb.SetPasswordResponse()

    async def AddGroup(self, request: pb.AddGroupRequest, context: Any) -> pb.AddGroupResponse:  # noqa: N802
        """Add a group."""
        return pb.AddGroupResponse(group=group_to_proto(await self._its.accounts.add_group(request.name)))

    async def ListGroups(self, request: pb.ListGroupsRequest, context: Any) -> pb.ListGroupsResponse:  # noqa: N802
        """Return groups."""
        found = await self._its.accounts.groups(request.after)
        return pb.ListGroupsResponse(groups=map(group_to_proto, found))

    async def ChangeGroup(self, request: pb.ChangeGroupRequest, context: Any) -> pb.ChangeGroupResponse:  # noqa: N802
        """Change who is in a group."""
        changed = await self._its.accounts.change_members(request.name, request.added, request.removed)
        return pb.ChangeGroupResponse(group=group_to_proto(changed))

    async def RemoveGroup(self, request: pb.RemoveGroupRequest, context: Any) -> pb.RemoveGroupResponse:  # noqa: N802
        """Remove a group."""
        await self._its.accounts.remove_group(request.name)
        return pb.RemoveGroupResponse()


def parse_level(number: int) -> Level:
    """Return a level; on the wire 0 means that none was given."""
    if not 1 <= number <= len(Level):
        raise InvalidArgumentError(f"{number} is no level; use NONE, READ, WRITE or MANAGE")
    return Level(number - 1)


def level_to_proto(level: Level) -> pb.AccessLevel.ValueType:
    """Return a level as the wire has it."""
    return pb.AccessLevel.ValueType(level + 1)


def parse_scope(number: int) -> Scope:
    """Return a scope."""
    try:
        return Scope(number)
    except ValueError:
        raise InvalidArgumentError(f"{number} is no scope of a token; use READ, WRITE or ADMIN") from None


def parse_subject(message: pb.AccessSubject) -> Subject:
    """Return to whom something is granted."""
    match message.WhichOneof("subject"):
        case "user":
            return Subject(SubjectKind.ACCOUNT, message.user)
        case "group":
            return Subject(SubjectKind.GROUP, message.group)
        case "everybody":
            return Subject(SubjectKind.EVERYBODY)
        case _:
            raise InvalidArgumentError("say to whom: a user, a group, or everybody")


def parse_thing(message: pb.AccessThing) -> Thing:
    """Return what is granted."""
    match message.WhichOneof("thing"):
        case "experiment_id":
            return Thing(ThingKind.EXPERIMENT, str(message.experiment_id))
        case "model":
            return Thing(ThingKind.MODEL, message.model)
        case _:
            raise InvalidArgumentError("say of what: an experiment, or a registered model")


def grant_to_proto(grant: Grant) -> pb.AccessGrant:
    """Return a grant as a message."""
    match grant.subject.kind:
        case SubjectKind.ACCOUNT:
            subject = pb.AccessSubject(user=grant.subject.name)
        case SubjectKind.GROUP:
            subject = pb.AccessSubject(group=grant.subject.name)
        case SubjectKind.EVERYBODY:
            subject = pb.AccessSubject(everybody=pb.Everybody())
    if grant.thing.kind is ThingKind.MODEL:
        thing = pb.AccessThing(model=grant.thing.name)
    else:
        thing = pb.AccessThing(experiment_id=int(grant.thing.name))
    return pb.AccessGrant(
        subject=subject, thing=thing, level=level_to_proto(grant.level), experiment_name=grant.title
    )


def user_to_proto(account: Account) -> pb.User:
    """Return an account as a message."""
    return pb.User(
        name=account.name,
        is_service=account.kind is AccountKind.SERVICE,
        is_admin=account.is_admin,
        is_active=account.is_active,
        has_password=account.has_password,
        groups=account.groups,
        created_time_ms=account.created_time_ms,
        last_used_time_ms=account.last_used_time_ms or 0,
    )


def group_to_proto(group: Group) -> pb.Group:
    """Return a group as a message."""
    return pb.Group(name=group.name, members=group.members, created_time_ms=group.created_time_ms)


def token_to_proto(token: Token) -> pb.Token:
    """Return a token as a message."""
    return pb.Token(
        token_id=token.token_id,
        account=token.account,
        name=token.name,
        hint=token.hint,
        scope=pb.TokenScope.ValueType(token.scope),
        experiment_ids=token.experiment_ids or (),
        is_limited=token.experiment_ids is not None,
        created_time_ms=token.created_time_ms,
        expires_time_ms=token.expires_time_ms or 0,
        last_used_time_ms=token.last_used_time_ms or 0,
        revoked_time_ms=token.revoked_time_ms or 0,
    )


def entry_to_proto(entry: AuditEntry) -> pb.AuditEntry:
    """Return an entry of the audit as a message."""
    return pb.AuditEntry(
        number=entry.number,
        time_ms=entry.time_ms,
        account=entry.account,
        action=entry.action,
        subject=entry.subject,
        details=entry.details,
        origin=entry.origin,
    )
