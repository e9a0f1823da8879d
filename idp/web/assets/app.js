// Betters pages that already work without it: copy buttons, passkeys, forms that only carry an answer on, the question
// before the automatic sign-out, the log as it grows. No other script.
"use strict";
for (const button of document.querySelectorAll("button[data-copy]")) {
  const source = document.getElementById(button.dataset.copy);
  if (!source || !navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(source.value ?? source.textContent.trim());
    const said = document.getElementById(button.dataset.copy + "-copied");
    if (said) said.textContent = "Copied";
  });
}
for (const form of document.querySelectorAll("form[data-send]")) form.submit();
// Who chooses a job needs no list of single functions: it is folded, and opens again where no job is chosen.
for (const folded of document.querySelectorAll("details[data-fold]"))
  for (const one of document.querySelectorAll(`input[name=${folded.dataset.fold}]`))
    one.addEventListener("change", () => (folded.open = one.value === ""));

// Passkeys: a form carries the options; its fields `answer` and `challenge` go back with an ordinary post.
const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const named = (list) => (list ?? []).map((one) => ({ ...one, id: bytes(one.id) }));

async function passkey(form, more) {
  const publicKey = JSON.parse(form.dataset.options);
  publicKey.challenge = bytes(publicKey.challenge);
  if (publicKey.user) publicKey.user.id = bytes(publicKey.user.id);
  if (publicKey.allowCredentials) publicKey.allowCredentials = named(publicKey.allowCredentials);
  if (publicKey.excludeCredentials) publicKey.excludeCredentials = named(publicKey.excludeCredentials);
  const made = await navigator.credentials[form.dataset.passkey]({ publicKey, ...more });
  const inner = made.response;
  const response = { clientDataJSON: text(inner.clientDataJSON) };
  if (inner.attestationObject) {
    response.attestationObject = text(inner.attestationObject);
    response.transports = inner.getTransports?.() ?? [];
  } else {
    response.authenticatorData = text(inner.authenticatorData);
    response.signature = text(inner.signature);
    if (inner.userHandle) response.userHandle = text(inner.userHandle);
  }
  form.elements.answer.value = JSON.stringify({ id: made.id, rawId: text(made.rawId), type: made.type, response });
  form.submit();
}

let waiting = null;
for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (!window.PublicKeyCredential) continue;
  form.hidden = false;
  for (const other of document.querySelectorAll("[data-no-passkey]")) other.hidden = true;
  const says = form.querySelector("[role=status]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    waiting?.abort();
    says.textContent = "Waiting for your passkey";
    try {
      await passkey(form, {});
    } catch (problem) {
      says.textContent =
        problem.name === "InvalidStateError"
          ? "This passkey is set up already. Use it, or add another one."
          : "No passkey answered. Try again, or use another way.";
    }
  });
  if ("autofill" in form.dataset && PublicKeyCredential.isConditionalMediationAvailable) {
    PublicKeyCredential.isConditionalMediationAvailable().then((offered) => {
      if (!offered) return;
      waiting = new AbortController();
      passkey(form, { mediation: "conditional", signal: waiting.signal }).catch(() => {});
    });
  }
}

// Two minutes before the automatic sign-out: ask. The server says how long is left, so all tabs agree.
const asking = document.getElementById("still-there");
if (asking) {
  const says = asking.querySelector("[role=status]");
  const later = (seconds) => setTimeout(look, Math.max(1, seconds) * 1000);
  async function look() {
    let left, final;
    try {
      ({ left, final } = await (await fetch("/account/session")).json());
    } catch {
      return later(20);
    }
    if (left < 1) {
      location.assign("/signed-out?why=idle&next=" + encodeURIComponent(location.pathname + location.search));
    } else if (left > 125) {
      asking.close();
      later(left - 120);
    } else {
      says.textContent =
        `You are signed out in ${left > 60 ? "2 minutes" : left > 20 ? "1 minute" : "20 seconds"}` +
        (final ? ". This sign-in can't be extended: save what you are doing." : " to protect patients' information.");
      if (!asking.open) asking.showModal();
      later(left > 60 ? left - 60 : left > 20 ? left - 20 : left);
    }
  }
  asking.querySelector("form").addEventListener("submit", async (event) => {
    if (event.submitter?.formAction.endsWith("/sign-out")) return;
    event.preventDefault();
    asking.close();
    await fetch("/still-there", { method: "POST", body: new URLSearchParams(new FormData(event.target)) });
    look();
  });
  later(Number(asking.dataset.after));
}

// The log as it grows: the server sends the newest rows whenever they change, for five minutes. Without that the page asks
// for itself again, as it does without a script.
const tail = document.getElementById("tail");
if (tail?.dataset.events) {
  const says = document.getElementById("tail-says");
  const source = new EventSource(tail.dataset.events);
  source.addEventListener("rows", (event) => {
    tail.innerHTML = JSON.parse(event.data);
    says.textContent = "New records appear as they come.";
  });
  source.addEventListener("over", () => {
    source.close();
    says.textContent = "Stopped. Refresh to go on.";
  });
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED)
      setTimeout(() => location.replace(tail.dataset.again), Number(tail.dataset.every) * 1000);
  });
}
