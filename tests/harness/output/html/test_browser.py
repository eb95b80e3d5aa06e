"""The pages in a real browser, opened from files: sorted, searched, filtered, read, attacked."""

import pytest
from courses import crowd, graded, put, rubric, telling
from hostile import NAMES

from harness.output.html.folders import write_pages
from harness.output.html.leaderboard import file_name
from harness.people.attempts import find_standings
from harness.people.roster import Person
from harness.storage.results import Store

pytestmark = pytest.mark.browser
AUDIENCES = ("instructor", "student")
SORTED = "#leaderboard th[aria-sort={}]"
NAME_CELLS = "#leaderboard tbody tr:not(.baseline) th.name > :is(a, bdi)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pages of a crowd in which every second name is an attack."""
    results = tmp_path_factory.mktemp("crowd")
    write_pages(results, put(results, telling(), *crowd()), rubric("timing", names=True))
    return results


def names(page):
    return page.locator(NAME_CELLS).all_inner_texts()


def column(page, heading, group=None):
    """The cells under a heading, as numbers; a dash is None."""
    cells = page.evaluate(
        """([heading, group]) => {
            const table = document.querySelector('#leaderboard');
            const api = new DataTable.Api(table);
            const header = [...table.tHead.rows].flatMap((row) => [...row.cells]).filter(
                (cell) => cell.getAttribute('aria-label') === heading)[group ?? 0];
            const index = api.column(header).index();
            return [...table.tBodies[0].rows].map((row) => row.cells[index].innerText);
        }""",
        [heading, group],
    )
    return [None if cell == "\u2013" else float(cell.split("/")[0]) for cell in cells]


def heading(page, text, place=0):
    return page.get_by_role("columnheader", name=text).nth(place)


@pytest.mark.parametrize("audience", AUDIENCES)
@pytest.mark.parametrize(("name", "direction"), [("acc %", "descending"), ("ASR %", "ascending")])
def test_columns_sort_by_value_and_what_has_none_comes_last(
    folder, visit, audience, name, direction
):
    page = visit(folder / audience / "index.html")
    assert names(page)[:2] == ["ann", "telling"]
    at_ten = 2
    assert None in column(page, name, at_ten)[:5]
    heading(page, name, at_ten).click()
    page.locator(SORTED.format(direction)).wait_for()
    rates = column(page, name, at_ten)
    known = [rate for rate in rates if rate is not None]
    assert known == sorted(known, reverse=direction == "descending")
    assert len(known) > 2
    assert rates == known + [None] * (len(rates) - len(known))


def test_the_keyboard_is_enough(folder, visit):
    page = visit(folder / "instructor" / "index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("/")
    page.keyboard.type("bob")
    assert names(page) == ["bob"]
    page.keyboard.press("Escape")
    page.locator(".dt-search input").fill("")
    before = names(page)
    sorter = heading(page, "DER").locator("[tabindex], span[role=button]").first
    sorter.focus()
    page.keyboard.press("Enter")
    page.locator(SORTED.format("descending")).wait_for()
    values = [value for value in column(page, "DER") if value is not None]
    assert values == sorted(values, reverse=True)
    page.keyboard.press("Enter")
    page.locator(SORTED.format("ascending")).wait_for()
    assert names(page) != before
    page.get_by_role("link", name="bob", exact=True).focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/submissions/bob.html")
    assert page.locator("h1").inner_text().startswith("bob")
    # No point of the plot is a stop on the way: the table links to the same pages.
    page.go_back()
    assert page.locator(".plot a:not([tabindex='-1'])").count() == 0


def test_baselines_have_a_place_by_der_and_none_by_rank(folder, visit):
    page = visit(folder / "instructor" / "index.html")
    lines = page.locator("#leaderboard tbody tr")
    is_baseline = "rows => rows.map(row => row.classList.contains('baseline'))"
    assert lines.evaluate_all(is_baseline)[:3] == [True, True, True]
    sorter = heading(page, "DER").locator("[tabindex], span[role=button]").first
    sorter.focus()
    page.keyboard.press("Enter")
    page.locator(SORTED.format("descending")).wait_for()
    assert lines.evaluate_all(is_baseline)[0] is False
    page.locator("select[data-filter=status]").select_option("rejected")
    assert sum(lines.evaluate_all(is_baseline)) == 3


def test_false_alarms_and_missed_backdoors_are_shown_at_a_click(folder, visit):
    page = visit(folder / "student" / "index.html")
    more = page.locator("#leaderboard .more")
    assert more.count() > 0
    assert more.evaluate_all("cells => cells.every(cell => !cell.offsetParent)")
    page.locator("[data-more]").check()
    assert more.evaluate_all("cells => cells.every(cell => cell.offsetParent)")
    page.get_by_role("button", name="Clear").click()
    page.locator("#leaderboard:not(.show-more)").wait_for()
    assert more.evaluate_all("cells => cells.every(cell => !cell.offsetParent)")


@pytest.mark.parametrize("audience", AUDIENCES)
def test_search_and_filters_narrow_the_table_and_the_plot(folder, visit, audience):
    page = visit(folder / audience / "index.html")
    everybody = len(names(page))
    assert everybody == len(crowd()) + 1
    page.get_by_role("searchbox").fill("telling")
    assert names(page) == ["telling"]
    bright = page.locator(".plot a:not(.dim)")
    assert bright.count() == 6
    assert bright.first.locator("title").text_content() == "telling"
    page.get_by_role("searchbox").fill("")
    page.locator("select[data-filter=status]").select_option("rejected")
    assert names(page) == ["dan"]
    page.locator("select[data-filter=status]").select_option("not passed")
    page.locator("select[data-filter=diagnosis]").select_option("OVER_PRUNED")
    assert names(page) == ["bob"]
    assert "out of" in page.locator(".dt-info").inner_text()
    page.get_by_role("button", name="Clear").click()
    page.wait_for_function(
        "(n) => document.querySelectorAll('#leaderboard tbody tr:not(.baseline)').length === n",
        arg=everybody,
    )
    page.locator("select[data-filter=family]").select_option("pruned")
    assert "dan" not in names(page)


def test_what_was_chosen_is_in_the_address(folder, visit):
    """It survives a reload, and whoever gets the address sees the same."""
    page = visit(folder / "instructor" / "index.html")
    page.locator("select[data-filter=status]").select_option("not passed")
    page.locator("[data-more]").check()
    page.get_by_role("searchbox").fill("o")
    heading(page, "DER").locator("span[role=button]").first.focus()
    page.keyboard.press("Enter")
    page.locator(SORTED.format("descending")).wait_for()
    chosen = names(page)
    assert 0 < len(chosen) < len(crowd())
    # A jump to the content leaves the choice where it is.
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    address = page.url
    for again in (page, visit(folder / "instructor" / "index.html")):
        again.goto("about:blank")
        again.goto(address)
        again.locator(SORTED.format("descending")).wait_for()
        assert names(again) == chosen
        assert again.locator("select[data-filter=status]").input_value() == "not passed"
        assert again.get_by_role("searchbox").input_value() == "o"
        assert again.locator("#leaderboard.show-more").count() == 1
    page.get_by_role("button", name="Clear").click()
    page.wait_for_function("() => !location.hash")
    assert len(names(page)) == len(crowd()) + 1


def test_an_address_that_nobody_chose_hides_nothing(folder, visit):
    page = visit(folder / "instructor" / "index.html")
    everybody = names(page)
    page.goto("about:blank")
    odd = "#status=nonsense&sort=99-asc,x-desc,1-up&page=-7&rows=3&more"
    page.goto((folder / "instructor" / "index.html").as_uri() + odd)
    assert names(page) == everybody


def test_a_common_diagnosis_leads_to_those_who_have_it(tmp_path, visit):
    write_pages(tmp_path, put(tmp_path, *crowd()[:3]), rubric())
    page = visit(tmp_path / "instructor" / "index.html")
    page.locator(".counts .chip", has_text="OVER_PRUNED").click()
    page.wait_for_function("() => location.hash.includes('OVER_PRUNED')")
    assert names(page) == ["bob"]


def test_people_of_the_roster_are_found_by_name_and_id(tmp_path, visit):
    people = (
        Person(folder="ann", name="Doe, Jane", login="jd77", email="jane@uni.example"),
        Person(folder="bob", name="Lee, Bob", login="bl1"),
        Person(folder="bob", name="Roe, Rick", login="rr2"),
    )
    records = put(tmp_path, graded("ann"), graded("bob"), graded("cyd"))
    standings = find_standings([each.submission for each in records], people)
    write_pages(tmp_path, records, rubric(), standings)
    page = visit(tmp_path / "instructor" / "index.html")
    search = page.get_by_role("searchbox")
    for wanted, found in (("jane", ["ann"]), ("jd77", ["ann"]), ("uni.example", ["ann"]),
                          ("roe", ["bob"]), ("bl1", ["bob"]), ("cyd", ["cyd"])):  # fmt: skip
        search.fill(wanted)
        assert names(page) == found, wanted
    search.fill("roe")
    assert "Lee, Bob\nRoe, Rick" in page.locator("#leaderboard th.name").last.inner_text()
    student = (tmp_path / "student" / "index.html").read_text(encoding="utf-8")
    assert "Jane" not in student
    assert "jd77" not in student


def test_a_word_explains_itself_by_mouse_and_keyboard(folder, visit):
    for path, word in (("index.html", "DER"), ("submissions/telling.html", "DER")):
        page = visit(folder / "instructor" / path)
        term = page.locator("button.term", has_text=word).first
        tip = term.locator("xpath=following-sibling::*[@role='tooltip']")
        assert not tip.is_visible()
        term.focus()
        assert tip.is_visible()
        assert "Doing nothing gets 0.5" in tip.inner_text()
        assert term.get_attribute("aria-describedby") == tip.get_attribute("id")
        box = tip.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= page.viewport_size["width"]
        page.evaluate("document.activeElement.blur()")
        assert not tip.is_visible()
        term.hover()
        assert tip.is_visible()
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((each) => each.id)")
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("width", [1400, 390])
def test_no_text_of_a_word_runs_off_the_window(folder, visit, width):
    for path in ("index.html", "submissions/telling.html"):
        page = visit(folder / "instructor" / path, viewport={"width": width, "height": 900})
        page.evaluate("document.querySelectorAll('details').forEach((each) => each.open = true)")
        off = page.evaluate(
            """async () => {
                const off = [];
                for (const term of document.querySelectorAll('.term')) {
                    if (!term.checkVisibility()) continue;
                    term.focus();
                    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
                    const tip = term.parentElement.querySelector('.tip');
                    const box = tip.getBoundingClientRect();
                    if (!box.width || box.left < 0 || box.right > innerWidth + 1
                        || box.top < 0 || box.bottom > innerHeight + 1) off.push(term.innerText);
                }
                return off;
            }"""
        )
        assert off == []


def test_escape_hides_a_text_until_another_word_is_reached(folder, visit):
    page = visit(folder / "instructor" / "index.html")
    chip = page.locator("a.chip", has_text="OVER_PRUNED").first
    tip = chip.locator("xpath=following-sibling::*[@role='tooltip']")
    chip.focus()
    assert "One channel earlier the drop was already" in tip.inner_text()
    page.keyboard.press("Escape")
    assert not tip.is_visible()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    assert tip.is_visible()


def test_a_diagnosis_leads_to_its_text(folder, visit):
    page = visit(folder / "instructor" / "index.html")
    page.locator("a.chip", has_text="OVER_PRUNED").first.click()
    page.wait_for_url("**/bob.html#OVER_PRUNED")
    assert page.locator("#OVER_PRUNED").is_visible()
    assert "One channel earlier" in page.locator("#OVER_PRUNED").inner_text()


@pytest.mark.parametrize("width", [1400, 800, 390])
def test_nothing_runs_off_a_page(folder, visit, width):
    """And what is wider than its card can be scrolled there, with a word about it."""
    for path in ("index.html", "submissions/telling.html", "submissions/dan.html"):
        page = visit(folder / "instructor" / path, viewport={"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        off = page.evaluate(
            """() => [...document.querySelectorAll('main *')].filter((element) =>
                !element.closest('.scroll') && !element.closest('svg') && element.checkVisibility()
                && element.getBoundingClientRect().right > innerWidth + 1).length"""
        )
        assert off == 0
        if path == "index.html":
            hint = page.locator("[data-more-columns]")
            table = page.locator(".scroll").first
            is_wider = table.evaluate("(box) => box.scrollWidth > box.clientWidth + 2")
            assert hint.is_visible() == is_wider
            table.evaluate("(box) => box.scrollTo(box.scrollWidth, 0)")
            hint.wait_for(state="hidden")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(folder, visit, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    submissions = ("instructor/submissions/telling.html", "student/submissions/bob.html")
    for path in ("instructor/index.html", "student/index.html", *submissions):
        page = visit(folder / path, color_scheme=scheme)
        page.evaluate(
            "document.querySelectorAll('details').forEach((each) => { each.open = true })"
        )
        found = axe.run(page).response["violations"]
        serious = [
            (each["id"], [node["html"][:120] for node in each["nodes"][:3]])
            for each in found
            if each["impact"] in ("serious", "critical")
        ]
        assert serious == []


@pytest.mark.parametrize("audience", AUDIENCES)
def test_a_submission_opens_and_leads_back(folder, visit, audience):
    page = visit(folder / audience / "index.html")
    page.get_by_role("link", name="bob", exact=True).click()
    assert page.title() == "bob, lab3"
    page.locator(".plot").first.wait_for()
    assert page.locator(".plot").count() == 2
    assert page.get_by_text("One channel earlier the drop was already").count()
    page.get_by_role("link", name="Leaderboard").click()
    assert page.get_by_role("heading", name="Backdoor defences").is_visible()


def test_a_point_of_the_plot_leads_to_its_submission(folder, visit):
    page = visit(folder / "instructor" / "index.html")
    page.get_by_role("searchbox").fill("cyd")
    page.locator(".plot a:not(.dim)").first.dispatch_event("click")
    page.wait_for_url("**/cyd.html")


@pytest.mark.parametrize("audience", AUDIENCES)
def test_nothing_that_is_handed_in_runs(folder, visit, audience):
    records = [r for r in put(folder) if r.submission not in ("ann", "bob", "cyd", "dan")]
    assert len(records) >= len(NAMES) - 1
    page = visit(folder / audience / "index.html")
    for path in ("index.html", *(f"submissions/{file_name(record)}" for record in records)):
        page.goto((folder / audience / path).as_uri())
        foreign = page.evaluate(
            """() => [...document.querySelectorAll('*')].filter((element) =>
                [...element.attributes].some((a) => a.name.startsWith('on')
                    || (/^(xlink:)?(href|src|action|formaction)$/.test(a.name)
                        && /^\\s*(javascript|vbscript|data:text)/i.test(a.value)))
                || (element.tagName === 'IMG' && !element.src.startsWith('data:image/png'))
                || element.tagName === 'IFRAME').length"""
        )
        assert foreign == 0
        assert page.locator("script").count() == (path == "index.html")
        page.mouse.move(200, 200)
        page.keyboard.press("Tab")


def test_the_policy_stops_a_script_that_slipped_in(folder, chromium):
    page = chromium.new_page()
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.goto((folder / "student" / "submissions" / "bob.html").as_uri())
    page.evaluate(
        """() => { const script = document.createElement('script');
            script.textContent = 'document.title = "taken"'; document.body.append(script);
            document.body.insertAdjacentHTML('beforeend', '<img src=x onerror="document.title=1">');
            fetch('file:///etc/hostname').catch(() => {}); }"""
    )
    page.wait_for_timeout(200)
    assert page.title() == "bob, lab3"
    assert sum("Content Security Policy" in line for line in said) >= 3
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_a_phone_and_can_be_read_in_light_and_dark(folder, visit, scheme):
    for path in ("index.html", "submissions/telling.html", "submissions/bob.html"):
        page = visit(folder / "instructor" / path, color_scheme=scheme,
                     viewport={"width": 390, "height": 844}, has_touch=True)  # fmt: skip
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        ratios = page.evaluate(CONTRASTS)
        assert ratios
        assert min(ratios.values()) >= 4.5, {k: v for k, v in ratios.items() if v < 4.5}


CONTRASTS = """() => {
    const channel = (c) => (c /= 255, c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    const light = (c) => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
    const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const ground = (element) => {
        for (; element; element = element.parentElement) {
            const colour = parts(getComputedStyle(element).backgroundColor);
            if (colour.length < 4 || colour[3] === 1) return colour;
        }
        return [255, 255, 255];
    };
    const found = {};
    for (const element of document.querySelectorAll('main *, footer *')) {
        const words = [...element.childNodes].filter((n) => n.nodeType === 3 && n.data.trim());
        if (!words.length || !element.checkVisibility()) continue;
        const style = getComputedStyle(element);
        const ink = element.closest('svg') ? style.fill : style.color;
        if (!ink.startsWith('rgb') || element.tagName === 'TITLE') continue;
        const [a, b] = [light(parts(ink)), light(ground(element))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        const key = element.tagName + '.' + element.getAttribute('class');
        found[key] = Math.min(ratio, found[key] ?? 99);
    }
    return found;
}"""


def test_the_real_course_opens_with_its_images(course, visit):
    write_pages(course, Store(course).records(), rubric())
    for audience in AUDIENCES:
        page = visit(course / audience / "submissions" / "reference.html")
        broken = "() => [...document.images].filter((i) => !i.naturalWidth).length"
        assert page.evaluate("document.images.length") > 3
        assert page.evaluate(broken) == 0
