// What is in the page of another can change while it is read: parts that say so are fetched again.
"use strict";
(() => {
  const live = () => document.querySelector("[data-live]");
  if (live() && window.EventSource) {
    const source = new EventSource("/events");
    source.onmessage = () => {
      const busy = document.activeElement && document.activeElement.closest("[data-live] form, [data-live] details[open]");
      if (!busy) document.body.dispatchEvent(new CustomEvent("console-changed"));
    };
    window.addEventListener("pagehide", () => source.close());
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-print]");
    if (button) window.print();
  });
})();
