"use strict";
(() => {
  const DataTable = window.DataTable;
  const board = document.querySelector("#leaderboard");
  const form = document.querySelector(".filters");
  const filters = [...form.querySelectorAll("select")];
  const more = form.querySelector("[data-more]");

  // Baselines stay, whoever is looked for.
  const passesFilters = (row) => row.classList.contains("baseline") || filters.every((filter) =>
    !filter.value || row.dataset[filter.dataset.filter].split("|").includes(filter.value));

  DataTable.ext.search.push((settings, _, index) => passesFilters(settings.aoData[index].nTr));

  // What there is no figure of comes last, whichever way a column is sorted.
  const known = (a, b) => Number.isNaN(a) - Number.isNaN(b);
  Object.assign(DataTable.ext.type.order, {
    "figure-pre": (value) => (value === "" ? NaN : Number(value)),
    "figure-asc": (a, b) => known(a, b) || a - b,
    "figure-desc": (a, b) => known(a, b) || b - a,
  });

  // A word that explains itself sorts like the rest of its heading: by a key once, not twice.
  for (const term of board.tHead.querySelectorAll(".term")) {
    for (const kind of ["keydown", "keypress"]) {
      term.addEventListener(kind, (event) => event.stopPropagation());
    }
  }

  const rows = board.tBodies[0].rows.length;
  const baselines = board.querySelectorAll("tr.baseline").length;
  const table = new DataTable(board, {
    order: [],
    autoWidth: false,
    paging: rows > 50,
    pageLength: 50,
    lengthMenu: [25, 50, 100, { label: "all", value: -1 }],
    columnDefs: [
      { targets: "low", orderSequence: ["asc", "desc", ""] },
      { targets: "num", type: "figure", orderSequence: ["desc", "asc", ""] },
    ],
    layout: {
      topStart: "info",
      topEnd: "search",
      bottomStart: rows > 50 ? "pageLength" : null,
      bottomEnd: rows > 50 ? "paging" : null,
    },
    infoCallback: (settings, start, end, all, fitting) => {
      const count = fitting - baselines;
      const noun = count === 1 ? "submission" : "submissions";
      return `${count} ${noun}${fitting < all ? ` out of ${all - baselines}` : ""}`;
    },
    language: {
      search: "Search",
      zeroRecords: "No submission fits.",
      emptyTable: "No submission.",
    },
  });

  const points = [...document.querySelectorAll(".plot a")];
  const dimPoints = () => {
    const shown = new Set(table.rows({ search: "applied" }).nodes().toArray()
      .map((row) => row.dataset.page));
    for (const point of points) {
      const target = point.getAttributeNS("http://www.w3.org/1999/xlink", "href");
      point.classList.toggle("dim", !shown.has(target));
    }
  };

  // --- what was chosen, in the address ----------------------------------------------------------

  const shared = form.querySelector("[data-shared]");
  const chosen = () => {
    const state = new URLSearchParams();
    for (const filter of filters) {
      if (filter.value) state.set(filter.dataset.filter, filter.value);
    }
    if (table.search()) state.set("search", table.search());
    if (more.checked) state.set("more", "yes");
    const order = table.order().filter(([, direction]) => direction);
    if (order.length) state.set("sort", order.map(([at, direction]) => `${at}-${direction}`).join(","));
    if (table.page.len() !== 50) state.set("rows", table.page.len());
    if (table.page()) state.set("page", table.page() + 1);
    return state;
  };

  let isChoosing = false;
  const keep = () => {
    if (isChoosing) return;
    const state = chosen().toString();
    shared.hidden = !state;
    history.replaceState(null, "", state ? `#${state}` : location.href.split("#")[0]);
  };

  const switchColumns = () => {
    board.classList.toggle("show-more", more.checked);
    showHint();
  };

  const choose = () => {
    const state = new URLSearchParams(location.hash.slice(1));
    isChoosing = true;
    for (const filter of filters) {
      const value = state.get(filter.dataset.filter) ?? "";
      filter.value = [...filter.options].some((option) => option.value === value) ? value : "";
    }
    more.checked = state.has("more");
    const order = (state.get("sort") ?? "").split(",").map((entry) => entry.split("-"))
      .map(([at, direction]) => [Number(at), direction])
      .filter(([at, direction]) => at < table.columns().count() && /^(asc|desc)$/.test(direction));
    table.search(state.get("search") ?? "").order(order);
    if ([25, 50, 100, -1].includes(Number(state.get("rows")))) {
      table.page.len(Number(state.get("rows")));
    }
    table.draw();
    const page = Number(state.get("page") ?? 1) - 1;
    if (page > 0 && page < table.page.info().pages) table.page(page).draw("page");
    isChoosing = false;
    switchColumns();
    keep();
  };

  window.addEventListener("hashchange", () => {
    if (!location.hash || location.hash.includes("=")) choose();
  });

  // A jump within the page must not take the choice out of the address.
  document.addEventListener("click", (event) => {
    const target = event.target.closest?.('a[href^="#"]')?.getAttribute("href").slice(1);
    if (!target || target.includes("=")) return;
    event.preventDefault();
    document.getElementById(target)?.focus();
    document.getElementById(target)?.scrollIntoView();
  });

  // --- more columns than fit --------------------------------------------------------------------

  const scroller = board.closest(".scroll");
  const hint = document.querySelector("[data-more-columns]");
  const showHint = () => {
    hint.hidden = scroller.scrollLeft + scroller.clientWidth >= scroller.scrollWidth - 2;
  };
  scroller.addEventListener("scroll", showHint, { passive: true });
  window.addEventListener("resize", showHint);

  // --- start ------------------------------------------------------------------------------------

  table.on("draw", () => { dimPoints(); keep(); showHint(); });
  form.hidden = false;
  choose();
  form.addEventListener("change", () => { switchColumns(); table.draw(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => {
    switchColumns();
    table.search("").order([]).draw();
  }));
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
      event.preventDefault();
      document.querySelector(".dt-search input").focus();
    }
    if (event.key === "Escape") document.body.classList.add("hushed");
  });
  for (const kind of ["focusin", "mouseover"]) {
    document.addEventListener(kind, (event) => {
      if (event.target.closest?.(".hint")) document.body.classList.remove("hushed");
    });
  }
})();
