// What a page shows may change while it is read: a part of it that has an id and data-live is fetched anew then,
// unless somebody is about to do something in it. Without this script a page stays as it was opened.
"use strict";
(() => {
  const parts = () => document.querySelectorAll("[data-live][id]");
  const isBusy = (part) => part.contains(document.activeElement) && document.activeElement !== part;
  const refresh = async () => {
    const answer = await fetch(location.pathname + location.search, { headers: { "X-Live": "1" } });
    if (!answer.ok || answer.redirected) return; // signed out meanwhile: the next click says so
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of parts()) {
      const other = fresh.getElementById(part.id);
      if (other && !isBusy(part) && other.innerHTML !== part.innerHTML) {
        part.replaceWith(other);
        if (window.htmx) window.htmx.process(other);
      }
    }
  };
  if (parts().length && window.EventSource) {
    const source = new EventSource("/events");
    source.onmessage = () => { refresh().catch(() => {}); };
    addEventListener("pagehide", () => source.close());
  }
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-print]")) print();
  });
})();
