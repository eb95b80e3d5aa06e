"use strict";
(() => {
  const DataTable = window.DataTable;
  const board = document.querySelector("#leaderboard");
  const form = document.querySelector(".filters");
  const filters = [...form.querySelectorAll("select")];

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

  const rows = board.tBodies[0].rows.length;
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
    language: {
      search: "Search",
      info: "_START_ to _END_ of _TOTAL_",
      infoEmpty: "none",
      infoFiltered: "(out of _MAX_)",
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
  table.on("draw", dimPoints);
  dimPoints();

  const more = form.querySelector("[data-more]");
  const switchColumns = () => board.classList.toggle("show-more", more.checked);
  more.addEventListener("change", switchColumns);

  form.hidden = false;
  form.addEventListener("change", () => table.draw());
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => {
    switchColumns();
    table.search("").draw();
  }));
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
      event.preventDefault();
      document.querySelector(".dt-search input").focus();
    }
  });
})();
