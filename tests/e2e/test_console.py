"""The console in real Chromium against a running service with the lab scanned."""

import asyncio
import shutil
from contextlib import asynccontextmanager

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import async_playwright, expect
from running import create_schedule, wait_for

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FIRST_VIEW_BYTES = 150_000
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian: apt-get install chromium)")


class Window:
    """A browser's page, what its console said, and how many bytes came."""

    def __init__(self, page, base):
        self.page, self.base, self.said, self.bytes = page, base, [], 0
        page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))

    async def go(self, path):
        await self.page.goto(self.base + path)

    async def at(self, path):
        await self.page.wait_for_url(self.base + path)

    async def check(self, *, problems=0):
        """No complaint of the browser, and nothing serious for those who do not see or point."""
        found = (await Axe().run(self.page)).response["violations"]
        serious = {
            one["id"]: [node["target"] for node in one["nodes"]][:3]
            for one in found
            if one["impact"] in {"serious", "critical"}
        }
        assert serious == {}, self.page.url
        assert len(self.said) == problems, self.said

    async def fits(self):
        """Nothing sticks out to the right."""
        width, seen = await self.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert width <= seen, self.page.url
        cut = "[...document.querySelectorAll('.card')].filter((one) => one.scrollWidth > one.clientWidth).length"
        assert await self.page.evaluate(cut) == 0, self.page.url


@pytest.fixture
def browse():
    """Opens windows of a browser of their own."""

    @asynccontextmanager
    async def open_window(server, **options):
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            context = await browser.new_context(**options)
            yield Window(await context.new_page(), str(server.api.base_url).rstrip("/"))
            await browser.close()

    return open_window


def token_of(server):
    return server.api.headers["Authorization"].removeprefix("Bearer ")


async def sign_in(window, token):
    await window.page.fill("#token", token)
    await window.page.click("text=Sign in >> nth=-1")


async def scan_lab(server, lab):
    schedule = await create_schedule(server.api, lab.subnet)
    scan = (await server.api.post(f"/scans/cve/scheduled/{schedule}/invoke")).json()["scan_id"]
    await wait_for(server.api, schedule, "completed")
    return scan


async def test_main_paths(serve, lab, browse):
    async with serve() as server, browse(server, color_scheme="dark") as window:
        page = window.page
        scan = await scan_lab(server, lab)
        await window.go(f"/scans/{scan}")  # asked for before signing in
        await window.check()
        await sign_in(window, token_of(server))
        await window.at(f"/scans/{scan}")
        await expect(page.locator("h1")).to_contain_text("The lab")
        await page.locator("details.why summary").first.click()
        await expect(page.locator(".why-body").first).to_contain_text("MikroTik")
        await window.check()
        await page.select_option("select[name=severity]", "HIGH")  # applies by itself
        await expect(page.locator(".findings .sev").first).to_contain_text("High")
        await page.click("nav[aria-label=Areas] >> text=Overview")
        await window.at("/")
        await expect(page.locator(".concerns > li").nth(1)).to_contain_text("CVE-")
        await expect(page.locator("svg.chart-picture polygon").first).to_be_visible()
        await window.check()
        await page.locator(".concerns a[href^='/cves/']").first.click()
        await expect(page.locator(".prose")).to_contain_text("update")
        await window.check()
        await page.locator("table a[href^='/devices/']").first.click()
        await expect(page.locator("#services-title")).to_be_visible()
        await window.check()
        await page.click("nav[aria-label=Areas] >> text=Devices")
        await page.fill("input[name=q]", "gw-main")
        await page.keyboard.press("Enter")
        await expect(page.locator("tbody tr")).to_have_count(1)
        await window.check()
        await page.click("text=Sign out")
        await window.at("/sign-in?why=out")
        await window.go("/scans")
        await window.at("/sign-in?next=%2Fscans")
        await window.check()


async def test_running_scan_moves_by_itself(serve, lab, browse):
    async with serve() as server, browse(server) as window:
        page = window.page
        await window.go("/scans")
        await sign_in(window, token_of(server))
        await window.at("/scans")
        schedule = await create_schedule(server.api, lab.subnet)
        scan = (await server.api.post(f"/scans/cve/scheduled/{schedule}/invoke")).json()["scan_id"]
        await window.go(f"/scans/{scan}")
        await expect(page.locator("[data-log] li").first).to_be_visible(timeout=20_000)
        await expect(page.locator("#numbers-title")).to_be_visible(timeout=90_000)  # without a hand on it
        await expect(page.locator(".state").first).to_have_text("completed")
        await window.check()


async def test_stop_button(serve, lab, browse):
    async with serve() as server, browse(server) as window:
        await window.go("/scans")
        await sign_in(window, token_of(server))
        await window.at("/scans")
        schedule = await create_schedule(server.api, lab.subnet)
        scan = (await server.api.post(f"/scans/cve/scheduled/{schedule}/invoke")).json()["scan_id"]
        await window.go(f"/scans/{scan}")
        await window.page.click("text=Stop the scan")
        await wait_for(server.api, schedule, "stopped", patience=20)
        await expect(window.page.locator(".state").first).to_have_text("stopped", timeout=20_000)


async def test_one_time_link_of_the_command(serve, browse, netvigil):
    async with serve() as server, browse(server) as window:
        base = str(server.api.base_url).rstrip("/")
        words = ("token", "create", "--link", "--org", "acme", "--scope", "cve:view", "--url", base)
        status, link, _ = await netvigil(*words)
        assert status == 0
        await window.page.goto(link.strip())
        await window.page.click("text=Sign in with this link")
        await window.at("/")
        await expect(window.page.locator(".who")).to_contain_text("acme")
        await expect(window.page.locator(".sites")).to_contain_text("sites:view")
        await window.check()


async def test_every_width_and_theme(serve, lab, browse):
    async with serve() as server:
        scan = await scan_lab(server, lab)
        for width, theme in ((360, "light"), (768, "dark"), (1024, "light"), (2560, "dark")):
            viewport = {"width": width, "height": 900}
            async with browse(server, viewport=viewport, color_scheme=theme) as window:
                await window.go("/scans")
                await sign_in(window, token_of(server))
                await window.at("/scans")
                [device, cve] = [
                    (await window.go(path), await window.page.get_attribute(f"a[href^='{kind}']", "href"))[1]
                    for path, kind in (("/devices", "/devices/"), ("/", "/cves/"))
                ]
                for path in ("/", "/scans", f"/scans/{scan}", "/devices", device, cve):
                    await window.go(path)
                    await window.fits()
                    await window.check()


async def test_first_view_is_small(serve, lab, browse):
    async with serve() as server, browse(server) as window:
        await scan_lab(server, lab)
        await window.go("/sign-in")
        await sign_in(window, token_of(server))
        await window.at("/")
        # a browser that knows nothing yet but its session
        network = await window.page.context.new_cdp_session(window.page)
        await network.send("Network.enable")
        await network.send("Network.clearBrowserCache")
        got = []
        network.on("Network.loadingFinished", lambda event: got.append(event["encodedDataLength"]))
        await window.go("/")
        await window.page.wait_for_load_state("networkidle")
        await asyncio.sleep(0.2)
        assert len(got) >= 3
        assert sum(got) < FIRST_VIEW_BYTES


async def test_pages_work_without_a_script(serve, lab, browse):
    async with serve() as server, browse(server, java_script_enabled=False) as window:
        scan = await scan_lab(server, lab)
        await window.go(f"/scans/{scan}")
        await sign_in(window, token_of(server))
        await window.at(f"/scans/{scan}")
        await window.page.select_option("select[name=severity]", "MEDIUM")
        await window.page.click("text=Apply")
        await expect(window.page.locator(".findings .sev").first).to_contain_text("Medium")
        await expect(window.page.locator("nav[aria-label=Areas]")).to_be_visible()
        await window.page.click("text=Dark")
        await expect(window.page.locator("html")).to_have_attribute("data-theme", "dark")


async def test_keyboard_reaches_the_content(serve, browse):
    async with serve() as server, browse(server) as window:
        await window.go("/")
        await sign_in(window, token_of(server))
        await window.at("/")
        await window.page.keyboard.press("Tab")
        await expect(window.page.locator(".skip")).to_be_focused()
        await window.page.keyboard.press("Enter")
        await expect(window.page.locator("main")).to_be_focused()
