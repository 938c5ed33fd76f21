"""A headless Chromium, driven through chromedriver by the WebDriver protocol (W3C), with nothing
but Python's library. The browser has a folder of its own and speaks to no one but the page."""

import base64
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

CHROMIUM = "/usr/bin/chromium"
DRIVER = "/usr/bin/chromedriver"
DEADLINE = 90
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-extensions", "--disable-default-apps", "--disable-dev-shm-usage",
         "--metrics-recording-only", "--no-default-browser-check", "--no-pings",
         "--disable-features=OptimizationHints,MediaRouter,DialMediaRouteProvider,Translate",
         # Should it try after all: there is nobody.
         "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"]


class WebDriverError(Exception):
    pass


class Browser:
    """One browser window. `media`: of prefers-color-scheme, prefers-reduced-motion."""

    def __init__(self, width=1280, height=800, mobile=False, media=None):
        for program in (CHROMIUM, DRIVER):
            if not os.access(program, os.X_OK):
                raise AssertionError(f"{program} is missing: scripts/install_packages test")
        self.folder = tempfile.mkdtemp(prefix="hypha-web-")
        self.session = self.driver = None
        try:
            self._start_driver()
            self._start_session(width, height, mobile, media or {})
        except BaseException:
            self.close()
            raise

    def _start_driver(self):
        environment = {**os.environ, "HOME": self.folder, "TMPDIR": self.folder,
                       "XDG_CONFIG_HOME": self.folder, "XDG_CACHE_HOME": self.folder}
        for key in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "DISPLAY"):
            environment.pop(key, None)
        self.driver = subprocess.Popen(
            [DRIVER, "--port=0"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env=environment, start_new_session=True)
        for raw in self.driver.stdout:
            if found := re.search(rb"started successfully on port (\d+)", raw):
                self.port = int(found.group(1))
                break
        else:
            raise WebDriverError("chromedriver did not start")
        # Else it blocks when the pipe is full.
        self.drain = threading.Thread(target=self.driver.stdout.read, daemon=True)
        self.drain.start()

    def _start_session(self, width, height, mobile, media):
        options = {"binary": CHROMIUM, "args": FLAGS + [
            f"--user-data-dir={self.folder}/profile", f"--window-size={width},{height}"]}
        answer = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}}})
        self.session = answer["sessionId"]
        self.open("about:blank")
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height,
                 deviceScaleFactor=2 if mobile else 1, mobile=mobile)
        if mobile:
            self.cdp("Emulation.setTouchEmulationEnabled", enabled=True)
        self.cdp("Emulation.setEmulatedMedia", features=[
            {"name": name, "value": value} for name, value in media.items()])

    def ask(self, method, path, body=None):
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        if self.session is not None and path != "/session":
            path = f"/session/{self.session}{path}"
        link.request(method, path, None if body is None else json.dumps(body),
                     {"Content-Type": "application/json"})
        value = json.loads(link.getresponse().read())["value"]
        link.close()
        if isinstance(value, dict) and "error" in value:
            raise WebDriverError(f"{value['error']}: {value['message']}")
        return value

    def cdp(self, command, **params):
        return self.ask("POST", "/goog/cdp/execute", {"cmd": command, "params": params})

    def open(self, url):
        self.ask("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        """The script's `return` value."""
        return self.ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def until(self, what, script, *arguments, deadline=DEADLINE):
        """Ask again and again, until the script returns something true."""
        end = time.monotonic() + deadline
        while not (answer := self.run(script, *arguments)):
            if time.monotonic() > end:
                raise AssertionError(f"{what}: not in time")
            time.sleep(0.05)
        return answer

    def press(self, *keys):
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.ask("POST", "/actions", {"actions": [
            {"type": "key", "id": "keyboard", "actions": actions}]})

    def click(self, x, y):
        self.ask("POST", "/actions", {"actions": [
            {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": [
                {"type": "pointerMove", "duration": 0, "x": round(x), "y": round(y)},
                {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]}]})

    def log(self, kind):
        """What came since it was asked last: browser (the console), performance (the network)."""
        return self.ask("POST", "/se/log", {"type": kind})

    def requests(self):
        """URLs of all requests since it was asked last, but for the browser's own pages."""
        urls = []
        for entry in self.log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] in ("Network.requestWillBeSent", "Network.webSocketCreated"):
                params = message["params"]
                urls.append(params["request"]["url"] if "request" in params else params["url"])
        return [url for url in urls if not url.startswith(("chrome:", "about:"))]

    def screenshot(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.ask("GET", "/screenshot")))

    def close(self):
        if self.session is not None:
            try:
                self.ask("DELETE", "")
            except (OSError, WebDriverError, http.client.HTTPException):
                pass
            self.session = None
        if self.driver is not None:
            # Its own group: the browser goes with it, even if the driver is stuck.
            try:
                os.killpg(self.driver.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.driver.wait()
            self.driver.stdout.close()
            self.driver = None
        shutil.rmtree(self.folder, ignore_errors=True)
