// Betters pages that already work without it: copy buttons. No other script of ours exists.
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
