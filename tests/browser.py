"""A real browser: Chromium, driven by its own chromedriver in the WebDriver protocol (Debian: chromium-driver)."""

import base64
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # so does the protocol call a reference to an element
_LONGEST_SECONDS = 20


class Browser:
    """One window, without a screen. Selectors are of CSS."""

    def __init__(self, client: httpx2.Client, *, language: str) -> None:
        self._client = client
        options = {
            "args": ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", f"--accept-lang={language}"],
            "prefs": {"intl.accept_languages": language},
        }
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        opened = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/session/{opened['sessionId']}"

    def open(self, address: str) -> None:
        """Go to a page and wait until it is loaded."""
        self._call("POST", f"{self._session}/url", {"url": address})

    def run(self, script: str, *arguments: Any) -> Any:
        """What the body of a function of JavaScript returns; a promise is waited for."""
        return self._call("POST", f"{self._session}/execute/sync", {"script": script, "args": list(arguments)})

    def until(self, script: str) -> Any:
        """What the script returns once that is something."""
        end = time.monotonic() + _LONGEST_SECONDS
        while not (found := self.run(script)) and time.monotonic() < end:
            time.sleep(0.02)
        assert found, self.complaints()
        return found

    def type(self, selector: str, text: str) -> None:
        """Press keys in a field."""
        self._call("POST", f"{self._session}/element/{self._find(selector)}/value", {"text": text})

    def click(self, selector: str) -> None:
        """Click on what people see there."""
        self._call("POST", f"{self._session}/element/{self._find(selector)}/click", {})

    def devtools(self, command: str, **parameters: Any) -> Any:
        """A command of Chromium's own protocol."""
        return self._call("POST", f"{self._session}/goog/cdp/execute", {"cmd": command, "params": parameters})

    def look(self, *, width: int, dark: bool) -> None:
        """Be so wide, and prefer dark or light pages."""
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.devtools("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self, path: Path, *, height: int | None = None) -> None:
        """Save the page as PNG, the whole of it unless its height is given."""
        shown: dict[str, Any] = {"captureBeyondViewport": True}
        size = self.run("return [innerWidth, document.documentElement.scrollHeight]")
        shown["clip"] = {"x": 0, "y": 0, "width": size[0], "height": height or size[1], "scale": 1}
        path.write_bytes(base64.b64decode(self.devtools("Page.captureScreenshot", **shown)["data"]))

    def complaints(self) -> list[str]:
        """What the console said since it was last asked: errors of scripts, what the policy of a page forbids."""
        return [entry["message"] for entry in self._call("POST", f"{self._session}/se/log", {"type": "browser"})]

    def close(self) -> None:
        """End the browser."""
        self._call("DELETE", self._session)

    def _find(self, selector: str) -> str:
        found = self._call("POST", f"{self._session}/element", {"using": "css selector", "value": selector})
        return str(found[_ELEMENT])

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._client.request(method, path, json=body).json()["value"]
        if isinstance(answer, dict) and "error" in answer:
            raise AssertionError(answer["message"])
        return answer


@contextmanager
def browser(*, language: str = "en") -> Iterator[Browser]:
    """A browser that prefers this language, until the block ends."""
    driver = shutil.which("chromedriver")
    assert driver, "these tests need chromium and chromium-driver"
    running = subprocess.Popen([driver, "--port=0"], stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout is not None
        port = next(found[1] for line in running.stdout if (found := re.search(r"successfully on port (\d+)", line)))
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
            window = Browser(client, language=language)
            try:
                yield window
            finally:
                window.close()
    finally:
        running.terminate()
        running.communicate()
