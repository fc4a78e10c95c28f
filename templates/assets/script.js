"use strict";
// Only makes easier what works without it.
(() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const plural = (count, unit) => `${count} ${unit}${count === 1 ? "" : "s"}`;
  const length = (text) => [...text].length;

  // Times in the reader's zone; the exact one on hover.
  const shown = {
    minute: { hour: "2-digit", minute: "2-digit" },
    second: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
    day: { day: "numeric", month: "long", year: "numeric" },
  };
  for (const time of all("time[data-show]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const parts = shown[time.dataset.show];
    if (parts) time.textContent = new Intl.DateTimeFormat("en-GB", parts).format(at);
    time.title = at.toLocaleString("en-GB", { dateStyle: "full", timeStyle: "long" });
  }

  // "Show" beside every password.
  for (const input of all(".secret input")) {
    const button = document.createElement("button");
    const show = (visible) => {
      input.type = visible ? "text" : "password";
      button.textContent = visible ? "Hide" : "Show";
      button.setAttribute("aria-label", `${button.textContent} ${input.labels[0].textContent.toLowerCase()}`);
    };
    button.type = "button";
    show(false);
    button.addEventListener("click", () => show(input.type === "password"));
    // Browsers must see a password field when they offer to keep it.
    input.form.addEventListener("submit", () => show(false));
    input.after(button);
  }

  // How strong a new password looks, and why; the server judges.
  const rows = "abcdefghijklmnopqrstuvwxyz 01234567890 qwertyuiop asdfghjkl zxcvbnm";
  const weakness = (input) => {
    const text = input.value.toLowerCase();
    for (const name of ["first_name", "last_name", "username", "email"]) {
      const own = input.form.elements[name];
      const words = own ? own.value.toLowerCase().split("@")[0].split(/[^\p{L}\p{N}]+/u) : [];
      const label = name === "email" ? "e-mail" : name.replace("_", " ");
      if (words.some((word) => word.length > 2 && text.includes(word))) return `Your ${label} is in it: guessed first.`;
    }
    if (new Set(text).size < 6) return "The same few characters are guessed early.";
    for (let at = 0; at + 4 <= text.length; at++) {
      const run = text.slice(at, at + 4);
      if (rows.includes(run) || rows.includes([...run].reverse().join(""))) return `A row like “${run}” is guessed early.`;
    }
    return "";
  };
  for (const line of all("[data-strength]")) {
    const input = document.getElementById(line.dataset.strength);
    const advice = line.textContent;
    input.addEventListener("input", () => {
      const missing = Number(input.dataset.min) - length(input.value);
      const text = !input.value
        ? advice
        : missing > 0
          ? `Too short: ${plural(missing, "character")} to go.`
          : weakness(input) || (missing > -5
            ? "Long enough. A few more characters, or another word, make it stronger."
            : "Good length. Is it free of names, dates and rows of keys?");
      if (line.textContent !== text) line.textContent = text;
    });
  }

  // Characters left.
  for (const area of all("[data-max]")) {
    const hint = document.getElementById(`${area.id}-hint`);
    const count = () => {
      const left = Number(area.dataset.max) - length(area.value);
      hint.textContent = left < 0 ? `${plural(-left, "character")} too many.` : `${plural(left, "character")} left.`;
    };
    area.addEventListener("input", count);
  }

  // The example of the chosen country.
  const country = document.getElementById("country");
  const example = document.getElementById("phone-hint");
  if (country && example) {
    all(".scriptless").forEach((part) => part.remove());
    country.addEventListener("change", () => {
      const number = country.selectedOptions[0].dataset.x;
      example.textContent = number ? `Example: ${number}` : "Or with + and the country's number in front.";
    });
  }

  // Seconds until "Send again".
  for (const line of all("[data-wait]")) {
    const end = performance.now() + line.dataset.wait * 1000;
    const rest = document.createElement("span");
    line.querySelector("time").after(rest);
    const tick = () => {
      const left = Math.ceil((end - performance.now()) / 1000);
      if (left < 1) return;
      rest.textContent = ` (${plural(left, "second")})`;
      setTimeout(tick, 1000);
    };
    tick();
  }
})();
