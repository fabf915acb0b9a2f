// Logging in, where the server has accounts: by a key, or at the hospital's identity provider.

import { ask, json, prove, Refusal } from "./api.js";
import { $ } from "./dom.js";
import { t } from "./language.js";

// resolves when somebody is logged in, or at once where there are no accounts
export async function logIn() {
  let session = await ask("v1/session");
  while (!session.principal) session = await asked(session);
  prove(session.csrf);
  $("account").hidden = !session.accounts;
  $("account-name").textContent = session.principal.replace(/^(key|oidc):/, "");
  return session;
}

function asked(session) {
  const dialog = $("login");
  $("login-by-key").hidden = !session.by_key;
  $("login-at-provider").hidden = !session.at_provider;
  if (!dialog.open) dialog.showModal();
  return new Promise((resolve) => {
    $("login-form").onsubmit = async (event) => {
      event.preventDefault();
      $("login-problem").textContent = "";
      try {
        const found = await ask("v1/session", json({ key: $("login-key").value.trim() }));
        $("login-key").value = "";
        dialog.close();
        resolve(found);
      } catch (refusal) {
        if (!(refusal instanceof Refusal)) throw refusal;
        $("login-problem").textContent = refusal.retryAfter
          ? t("login.often", { n: refusal.retryAfter })
          : t("login.unknown");
        $("login-key").select();
      }
    };
  });
}

// who cannot log in sees nothing, so there is nothing to go back to
$("login").addEventListener("cancel", (event) => event.preventDefault());

$("log-out").addEventListener("click", async () => {
  await ask("v1/session", { method: "DELETE" }).catch(() => null);
  // what was on the page, and what this tab remembers, goes with the login
  sessionStorage.clear();
  window.location.reload();
});
