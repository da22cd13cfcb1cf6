"""The page where the server knows accounts: signing in and out, what is offered to whom, and what others cannot do."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx2
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.browser.answers import held
from tests.browser.conftest import WIDE, is_fault
from tests.harness.servers.processes import ANSWER_TIMEOUT_S, ServerProcess
from tests.harness.servers.provider import Provider, openid_provider
from tests.harness.servers.shared import server_of_many

# One server for all of them.
pytestmark = pytest.mark.xdist_group("accounts in a browser")
ADMIN, PASSWORD = "admin", "correct horse"
API = "/api/2.0/mlflow"
# What a page or a file of somebody else would try with the cookie of who looks at it.
THEFT = """
<form method="post" enctype="text/plain" action="%(target)s">
  <input name='{"name": "stolen", "a' value='": 1}'/>
</form>
<script>
  document.title = "taken " + document.cookie;
  fetch("%(target)s", {method: "POST", credentials: "include", body: '{"name": "stolen"}'})
    .catch(String).finally(function () { document.forms[0].submit() });
</script>
"""
# What the browser says when it keeps an answer from a page of somebody else.
KEPT_FROM_OTHERS = ("Access to fetch", "Failed to load resource")


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with openid_provider() as running:
        running.set_user("grace", preferred_username="grace")
        yield running


@pytest.fixture(scope="module")
def server(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    options = (
        "--auth",
        "--oidc-issuer",
        provider.issuer,
        "--oidc-client-id",
        "stepwell",
        "--oidc-name",
        "House",
    )
    environment = {"STEPWELL_ADMIN_PASSWORD": PASSWORD, "STEPWELL_OIDC_CLIENT_SECRET": "a secret"}
    with server_of_many(tmp_path_factory, *options, environment=environment) as running:
        yield running


@pytest.fixture(scope="module")
def rest(server: ServerProcess) -> Iterator[httpx2.Client]:
    """The server's admin, as a program."""
    with httpx2.Client(timeout=ANSWER_TIMEOUT_S, base_url=server.url, auth=(ADMIN, PASSWORD)) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="session")
async def page(opened: Browser, server: ServerProcess) -> AsyncIterator[Page]:
    """A tab of a browser that is not signed in; faults of the page fail the test."""
    complaints: list[str] = []
    context = await opened.new_context(viewport=WIDE, base_url=server.url, locale="en-US")
    tab = await context.new_page()
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("console", lambda message: is_fault(message) and complaints.append(message.text))
    yield tab
    await context.close()
    assert [text for text in complaints if not text.startswith(KEPT_FROM_OTHERS)] == []


async def sign_in(page: Page, name: str = ADMIN, password: str = PASSWORD) -> None:
    await page.get_by_label("Name", exact=True).fill(name)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Sign in", exact=True).click()


async def add_user(page: Page, name: str, password: str) -> None:
    """Sign in as the admin, and make an account."""
    await page.goto("/#/settings?tab=users")
    await sign_in(page)
    await page.get_by_role("button", name="New user").click()
    await page.get_by_label("Name", exact=True).fill(name)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("cell", name=name, exact=True)).to_be_visible()


async def test_signing_in_leads_where_the_link_led_and_out_leads_to_nothing(page: Page) -> None:
    await page.goto("/#/settings?tab=tokens")
    await sign_in(page, ADMIN, "wrong")
    await expect(page.get_by_role("alert")).to_contain_text("wrong")
    await sign_in(page)
    await expect(page.get_by_role("tab", name="My tokens")).to_have_attribute("aria-selected", "true")
    await page.get_by_role("button", name="New token").click()
    await page.get_by_label("Name", exact=True).fill("laptop")
    await page.get_by_role("button", name="Create").click()
    secret = await page.get_by_role("dialog", name="The token laptop").locator("code").first.inner_text()
    await page.get_by_role("button", name="Done").click()
    await expect(page.get_by_text("laptop")).to_be_visible()
    await page.get_by_role("button", name="Account of admin").click()
    await page.get_by_role("menuitem", name="Sign out", exact=True).click()
    await expect(page.get_by_role("heading", name="Sign in to Stepwell")).to_be_visible()
    await expect(page.get_by_text("laptop")).to_have_count(0)
    await page.get_by_role("button", name="Use a token").click()
    await page.get_by_label("Token", exact=True).fill(secret)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    # A token that may read and log is no admin's session.
    await expect(page.get_by_role("tab", name="My tokens")).to_be_visible()
    await expect(page.get_by_role("tab", name="Users")).to_have_count(0)


async def test_on_a_phone_a_token_can_be_revoked_and_the_page_is_no_wider_than_it(page: Page) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.goto("/#/settings?tab=tokens")
    await sign_in(page)
    await page.get_by_role("button", name="New token").click()
    await page.get_by_label("Name", exact=True).fill("nightly job")
    await page.get_by_role("button", name="Create").click()
    await page.get_by_role("button", name="Done").click()
    await expect(page.get_by_role("button", name="Revoke nightly job")).to_be_in_viewport(ratio=1)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_single_sign_on_comes_back_to_the_place(page: Page, rest: httpx2.Client) -> None:
    made = rest.post(f"{API}/experiments/create", json={"name": "to be read"}).json()["experiment_id"]
    await page.goto(f"/#/experiments/{made}?view=table")
    await page.get_by_role("link", name="Sign in with House").click()
    await page.get_by_placeholder("sub").fill("grace")
    await page.get_by_role("button", name="Authorize").click()
    await expect(page).to_have_url(re.compile(rf"/#/experiments/{made}\?view=table"))
    await expect(page.get_by_role("heading", name="to be read")).to_be_visible()
    await expect(page.get_by_role("button", name="Account of grace")).to_be_visible()
    # Everybody may read it, and no more.
    await page.get_by_role("button", name="About").click()
    await expect(page.get_by_text("No description yet.")).to_be_visible()
    await expect(page.get_by_role("button", name="Edit the description")).to_have_count(0)
    await expect(page.get_by_role("button", name="Share")).to_have_count(0)


async def test_an_experiment_is_shared(
    page: Page, rest: httpx2.Client, opened: Browser, server: ServerProcess
) -> None:
    name = "to be shared"
    made = rest.post(f"{API}/experiments/create", json={"name": name}).json()["experiment_id"]
    await add_user(page, "ada", "countess of Lovelace")
    await page.goto(f"/#/experiments/{made}")
    await page.get_by_role("button", name="Share", exact=True).click()
    dialog = page.get_by_role("dialog", name=f"Share {name}")
    await dialog.get_by_label("Share with").fill("ada")
    await dialog.get_by_label("They may").select_option("manage")
    await dialog.get_by_role("button", name="Share", exact=True).click()
    await expect(dialog.get_by_label("ada may")).to_have_value("4")
    other = await (await opened.new_context(viewport=WIDE, base_url=server.url)).new_page()
    await other.goto("/")
    await sign_in(other, "ada", "countess of Lovelace")
    await expect(other.get_by_role("button", name=f"Actions for {name}")).to_be_visible()
    await expect(other.get_by_role("button", name="Actions for Default")).to_have_count(0)
    await dialog.get_by_role("button", name="Share with ada no more").click()
    await expect(dialog.get_by_label("ada may")).to_have_count(0)


async def test_a_level_that_was_chosen_is_shown_while_it_is_on_its_way(
    page: Page, rest: httpx2.Client
) -> None:
    made = rest.post(f"{API}/experiments/create", json={"name": "for everybody"}).json()["experiment_id"]
    await page.goto(f"/#/experiments/{made}")
    await sign_in(page)
    await page.get_by_role("button", name="Share", exact=True).click()
    everybody = page.get_by_label("Everybody else may")
    async with held(page, "Grant") as grant:
        await everybody.select_option("manage")
        await grant.are_asked.wait()
        await expect(everybody).to_be_disabled()
        await expect(everybody).to_have_value("4")
    await expect(everybody).to_be_enabled()
    await expect(everybody).to_have_value("4")


async def test_a_session_that_has_ended_asks_again_and_goes_on(page: Page, rest: httpx2.Client) -> None:
    await page.goto("/")
    await sign_in(page)
    await expect(page.get_by_role("link", name="Default")).to_be_visible()
    await page.context.clear_cookies()
    await page.get_by_role("link", name="Default").click()
    await expect(page.get_by_role("heading", name="Sign in to Stepwell")).to_be_visible()
    await sign_in(page)
    await expect(page.get_by_role("heading", name="Default")).to_be_visible()


async def test_what_is_being_written_outlives_a_session(page: Page, rest: httpx2.Client) -> None:
    run = rest.post(f"{API}/runs/create", json={"experiment_id": "0"}).json()["run"]["info"]
    await page.goto(f"/#/experiments/0/runs/{run['run_id']}")
    await sign_in(page)
    await page.get_by_role("button", name="Edit the description").click()
    await page.get_by_label("Markdown").fill("an hour's work")
    await page.context.clear_cookies()
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("heading", name="Sign in to Stepwell")).to_be_visible()
    await expect(page.get_by_text("Your session has ended.")).to_be_visible()
    await page.keyboard.press("Escape")
    await sign_in(page)
    await expect(page.get_by_role("heading", name="Sign in to Stepwell")).to_have_count(0)
    await expect(page.get_by_label("Markdown")).to_have_value("an hour's work")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.get_by_text("an hour's work")).to_be_visible()


async def test_who_signs_in_where_the_session_of_another_ended_finds_nothing_of_theirs(
    page: Page, rest: httpx2.Client
) -> None:
    run = rest.post(f"{API}/runs/create", json={"experiment_id": "0"}).json()["run"]["info"]
    await add_user(page, "charles", "difference engine")
    await page.goto(f"/#/experiments/0/runs/{run['run_id']}")
    await page.get_by_role("button", name="Edit the description").click()
    await page.get_by_label("Markdown").fill("for nobody else's eyes")
    await page.context.clear_cookies()
    await page.get_by_role("button", name="Save").click()
    async with held(page, "GetRun") as reading:
        await sign_in(page, "charles", "difference engine")
        await expect(page.get_by_role("button", name="Account of charles")).to_be_visible()
        await reading.are_asked.wait()
        # What was read for the other one is not shown until it is read again.
        await expect(page.get_by_text("Loading the run")).to_be_visible()
        await expect(page.get_by_role("heading", name=run["run_name"])).to_have_count(0)
    await expect(page.get_by_role("heading", name=run["run_name"])).to_be_visible()
    await expect(page.get_by_label("Markdown")).to_have_count(0)


async def test_who_may_only_read_is_offered_no_registering(page: Page, rest: httpx2.Client) -> None:
    given = {"experiment_id": "0", "name": "to look at"}
    model = rest.post(f"{API}/logged-models", json=given).json()["model"]["info"]
    await page.goto("/#/settings?tab=tokens")
    await sign_in(page)
    await page.get_by_role("button", name="New token").click()
    await page.get_by_label("Name", exact=True).fill("reader")
    await page.get_by_label("It may").select_option(label="read")
    await page.get_by_role("button", name="Create").click()
    secret = await page.get_by_role("dialog", name="The token reader").locator("code").first.inner_text()
    address = f"/#/experiments/0/models/{model['model_id']}"
    await page.goto(address)
    await expect(page.get_by_role("button", name="Register")).to_be_visible()
    await page.context.clear_cookies()
    await page.goto("about:blank")
    await page.goto(address)
    await page.get_by_role("button", name="Use a token").click()
    await page.get_by_label("Token", exact=True).fill(secret)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page.get_by_role("button", name="Actions for the model")).to_be_visible()
    await expect(page.get_by_role("button", name="Register")).to_have_count(0)


async def test_an_experiment_without_runs_says_how_a_script_signs_in(page: Page, rest: httpx2.Client) -> None:
    made = rest.post(f"{API}/experiments/create", json={"name": "nothing yet"}).json()["experiment_id"]
    await page.goto(f"/#/experiments/{made}")
    await sign_in(page)
    await expect(page.get_by_text("stepwell login --browser")).to_be_visible()
    await expect(page).to_have_title("nothing yet · Stepwell")


async def test_what_came_stays_when_it_is_asked_for_again_in_vain(page: Page) -> None:
    await page.goto("/#/settings?tab=groups")
    await sign_in(page)
    await expect(page.get_by_text("No groups yet")).to_be_visible()
    broken = {"status": 500, "content_type": "application/json", "body": '{"code": "internal"}'}
    await page.route("**/ListGroups", lambda route: route.fulfill(**broken))
    await page.get_by_role("button", name="New group").click()
    await page.get_by_label("Name").fill("g" * 200)
    async with page.expect_response(lambda answer: "ListGroups" in answer.url):
        await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.get_by_text("No groups yet")).to_be_visible()
    await page.unroute("**/ListGroups")
    await page.reload()
    # However long a name is, what can be done stands beside it.
    await expect(page.get_by_role("button", name="Actions for ggg")).to_be_in_viewport(ratio=1)


async def test_a_long_tag_leaves_its_button_in_sight(page: Page, rest: httpx2.Client) -> None:
    run = rest.post(f"{API}/runs/create", json={"experiment_id": "0"}).json()["run"]["info"]
    tag = {"run_id": run["run_id"], "key": "k" * 60, "value": "v " * 500}
    assert rest.post(f"{API}/runs/set-tag", json=tag).status_code == 200
    await page.goto(f"/#/experiments/0/runs/{run['run_id']}")
    await sign_in(page)
    await expect(page.get_by_role("button", name="Remove the tag kkk")).to_be_in_viewport(ratio=1)


@asynccontextmanager
async def foreign_page(content: str) -> AsyncIterator[str]:
    """A page of another server on the same machine: to it, browsers send the cookies of ours."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n" + content.encode()
        )
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"


async def test_other_pages_and_files_of_runs_do_nothing_in_anybodys_name(
    page: Page, rest: httpx2.Client, server: ServerProcess
) -> None:
    await page.goto("/")
    await sign_in(page)
    await expect(page.get_by_role("link", name="Default")).to_be_visible()
    assert await page.evaluate("document.cookie") == ""
    cookies = await page.context.cookies()
    assert [(one["httpOnly"], one["sameSite"]) for one in cookies] == [(True, "Lax")]

    run = rest.post(f"{API}/runs/create", json={"experiment_id": "0"}).json()["run"]["info"]
    theft = THEFT % {"target": f"{server.url}{API}/experiments/create"}
    where = f"/api/2.0/mlflow-artifacts/artifacts/0/{run['run_id']}/artifacts"
    for name in ("theft.html", "theft.svg"):
        content = theft if name.endswith("html") else f'<svg xmlns="http://www.w3.org/2000/svg">{theft}</svg>'
        assert rest.put(f"{where}/{name}", content=content).status_code == 200
    for name in ("theft.html", "theft.svg"):
        async with page.expect_console_message(lambda message: "Blocked script" in message.text):
            await page.goto(f"/api/stepwell/v1/runs/{run['run_id']}/artifacts/{name}")
        assert "taken" not in await page.title()

    refused: list[int] = []
    page.on(
        "response", lambda answer: refused.append(answer.status) if answer.request.method == "POST" else None
    )
    async with foreign_page(theft) as address, page.expect_navigation(url=re.compile("experiments/create")):
        await page.goto(address)
    assert set(refused) == {403}  # the form's; what the script is answered, the browser tells nobody
    found = rest.post(f"{API}/experiments/search", json={"max_results": 100}).json()["experiments"]
    assert "stolen" not in {one["name"] for one in found}
