// Betters pages that already work without it: copy buttons, forms that only carry an answer on. No other script exists.
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
