"""Make ``docs/leaderboard.png``: ``python docs/screenshot.py`` (a few minutes the first time).

Grades the worked example beside repairs that go wrong in the ways that the harness knows, in
``results/screenshot``, and photographs the instructor's page with Debian's Chromium.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from harness.datasets.descriptions import load_benchmark  # noqa: E402
from harness.lineage.lineage import zero_channels  # noqa: E402
from harness.networks.weight_files import read_model  # noqa: E402
from reference.badnet.training import save_weights  # noqa: E402

RESULTS = ROOT / "results" / "screenshot"
STEPS = {2: 45, 4: 48, 10: 52}
"""Channels that the reference prunes for each X."""


def main() -> None:
    """Build, grade, photograph."""
    folder = RESULTS / "submissions"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "submissions" / "jk7846", folder / "jk7846")
    write_variants(folder)
    grade = ["-m", "harness", "grade", "--each", str(folder), "--out", str(RESULTS)]
    subprocess.run([sys.executable, *grade], cwd=ROOT, check=False)
    photograph(RESULTS / "instructor" / "index.html", ROOT / "docs" / "leaderboard.png")


def write_variants(folder: Path) -> None:
    """Submissions beside the worked example, each with a mistake of its own or none."""
    badnet = read_model(ROOT / "datasets" / "faces" / "bd_weights.h5").weights
    order = list(load_benchmark("faces")[0].channel_order)
    masks = {x: order[:steps] for x, steps in STEPS.items()}
    tuned = badnet | {"output/bias": badnet["output/bias"] * 1.02}
    by_number = list(range(len(order)))
    repairs = {
        "am4410": {x: zero_channels(badnet, mask) for x, mask in masks.items()},
        "cv9021": {x: zero_channels(badnet, order[: len(mask) + 1]) for x, mask in masks.items()},
        "dl3377": {x: zero_channels(badnet, order[: len(mask) - 1]) for x, mask in masks.items()},
        "ek1188": {x: zero_channels(badnet, mask, keep_biases=True) for x, mask in masks.items()},
        "fo5562": {x: zero_channels(tuned, mask) for x, mask in masks.items()},
        "gh2040": {x: zero_channels(badnet, by_number[: x + 1]) for x in masks},
        "hs7719": {x: zero_channels(badnet, order[::-1][: x // 2]) for x in masks},
        "ip6603": {x: zero_channels(badnet, mask) for x, mask in masks.items() if x != 4},
        "jr8124": {x: zero_channels(badnet, order[: {2: 46, 4: 50, 10: 53}[x]]) for x in masks},
        "lt0457": dict.fromkeys(masks, badnet),
    }
    for name, nets in repairs.items():
        for x, weights in nets.items():
            save_weights(weights, folder / name / f"model_{x}.h5")
    broken = folder / "mu3905" / "model_2.h5"
    broken.parent.mkdir()
    broken.write_bytes((folder / "am4410" / "model_2.h5").read_bytes()[:100_000])


def photograph(page: Path, out: Path) -> None:
    """The table of a page as it looks on a laptop, in light colours; small enough for a README."""
    from PIL import Image
    from playwright.sync_api import sync_playwright

    switches = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=switches)
        view = browser.new_page(viewport={"width": 1400, "height": 2000}, color_scheme="light")
        view.goto(page.as_uri())
        table = view.locator("section").first.bounding_box() or {"y": 0, "height": 1200}
        clip = {"x": 0, "y": 0, "width": 1400, "height": table["y"] + table["height"] + 14}
        view.screenshot(path=out, clip=clip)
        browser.close()
    image = Image.open(out).convert("RGB")
    image.quantize(96, dither=Image.Dither.NONE).save(out, optimize=True)


if __name__ == "__main__":
    main()
