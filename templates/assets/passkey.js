"use strict";
// Passkeys: asks the browser for what a form's data-options say, and sends its answer in the field "credential".
(() => {
  const forms = [...document.querySelectorAll("form[data-passkey]")];
  const known = Boolean(window.PublicKeyCredential && navigator.credentials);
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

  const say = (form, words) => {
    let box = form.previousElementSibling;
    if (!box || !box.dataset.said) {
      box = document.createElement("div");
      box.className = "box bad";
      box.dataset.said = "1";
      box.setAttribute("role", "alert");
      box.append(document.createElement("p"));
      form.before(box);
    }
    box.firstChild.textContent = words;
  };

  const read = (json) => {
    const options = JSON.parse(json);
    options.challenge = bytes(options.challenge);
    if (options.user) options.user.id = bytes(options.user.id);
    for (const list of [options.excludeCredentials, options.allowCredentials]) {
      for (const one of list || []) one.id = bytes(one.id);
    }
    return options;
  };

  const written = (credential) => {
    const response = {};
    for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (credential.response[name]) response[name] = text(credential.response[name]);
    }
    if (credential.response.getTransports) response.transports = credential.response.getTransports();
    return JSON.stringify({
      id: credential.id,
      rawId: text(credential.rawId),
      type: credential.type,
      response,
      extensions: {},
    });
  };

  const trouble = (error) => ({
    InvalidStateError: "This device has a passkey for your account already.",
    NotAllowedError: "That was stopped, or took too long. Try again.",
    SecurityError: "Passkeys don't work at this address. Open the site at the address it is known by.",
  })[error.name] || "This browser could not do that. Try again, or use another way.";

  const send = (form, credential) => {
    form.elements.credential.value = written(credential);
    const remember = document.querySelector("input[type=checkbox][name=remember]");
    if (remember && form.elements.remember) form.elements.remember.value = remember.checked ? "1" : "";
    // Not requestSubmit: it would ask again.
    form.submit();
  };

  for (const form of forms) {
    const create = form.dataset.passkey === "create";
    const fill = form.dataset.passkey === "fill";
    if (!known) {
      if (!fill) say(form, "This browser knows no passkeys. Use another one, or another way.");
      continue;
    }
    form.hidden = false;
    let waiting = null;
    const ask = async (mediation) => {
      if (waiting) waiting.abort();
      const own = new AbortController();
      waiting = own;
      const wanted = { publicKey: read(form.dataset.options), signal: own.signal };
      if (mediation) wanted.mediation = mediation;
      try {
        send(form, await (create ? navigator.credentials.create(wanted) : navigator.credentials.get(wanted)));
      } catch (error) {
        if (error.name !== "AbortError" && !mediation) say(form, trouble(error));
      }
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      ask();
    });
    // Offered where the name is typed.
    if (fill && PublicKeyCredential.isConditionalMediationAvailable) {
      PublicKeyCredential.isConditionalMediationAvailable().then((can) => can && ask("conditional"));
    }
  }
})();
