// Copies examples, and tries calls at the exchange that this page came from. A key that is typed
// here lives in its input and in the request that carries it, and nowhere else.
"use strict";

(() => {
  const key = document.getElementById("key");
  const INDENT = "  ";

  // Indents JSON without reading its numbers, so that an amount keeps every digit it came with.
  function indented(text) {
    let depth = 0;
    let out = "";
    const line = () => "\n" + INDENT.repeat(depth);
    for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+/g)) {
      if (token === "{" || token === "[") {
        depth += 1;
        out += token + line();
      } else if (token === "}" || token === "]") {
        depth -= 1;
        out = out.endsWith(token === "}" ? "{" + line() + INDENT : "[" + line() + INDENT)
          ? out.trimEnd() + token
          : out + line() + token;
      } else if (token === ",") {
        out += token + line();
      } else {
        out += token === ":" ? ": " : token;
      }
    }
    return out;
  }

  function addCopyButton(figure) {
    const text = figure.querySelector("code").textContent;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(figure.querySelector("code"));
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    figure.append(button);
  }

  function show(outcome, head, kind, body) {
    const line = document.createElement("p");
    const status = document.createElement("span");
    status.className = "status s" + kind;
    status.textContent = head.status;
    line.append(status, " " + head.rest);
    outcome.replaceChildren(line);
    if (body) {
      const figure = document.createElement("figure");
      const pre = document.createElement("pre");
      const code = document.createElement("code");
      figure.className = "code";
      pre.tabIndex = 0;
      code.textContent = body;
      pre.append(code);
      figure.append(pre);
      outcome.append(figure);
      addCopyButton(figure);
    }
  }

  const refuse = (outcome, sentence) => show(outcome, { status: "not sent", rest: sentence }, "4", "");

  // Where the body says nothing of a test it is a real lead: the form asks once more.
  function isTest(text) {
    try {
      return JSON.parse(text).test === true;
    } catch {
      return false;
    }
  }

  function watchTest(form) {
    const body = form.elements.body;
    const badge = form.querySelector(".badge.test");
    const told = badge.textContent;
    const look = () => {
      const test = isTest(body.value);
      badge.textContent = test ? told : "no “test”: true in it: this would be real";
      badge.classList.toggle("off", !test);
      form.querySelector(".real").hidden = test;
      if (test) form.elements.real.checked = false;
    };
    body.addEventListener("input", look);
    look();
  }

  function address(form) {
    let path = form.dataset.path;
    const query = new URLSearchParams();
    for (const input of form.querySelectorAll("input[data-place]")) {
      const value = input.value.trim();
      if (input.dataset.place === "path") {
        if (!value) {
          input.focus();
          return null;
        }
        path = path.replace("{" + input.name + "}", encodeURIComponent(value));
      } else if (value) {
        query.set(input.name, value);
      }
    }
    const text = query.toString();
    return text ? path + "?" + text : path;
  }

  // What one call's answer names, the next one's form wants: ping_id, lead_id.
  function carryOver(text) {
    let answer;
    try {
      answer = JSON.parse(text);
    } catch {
      return;
    }
    for (const name of ["ping_id", "lead_id"]) {
      if (answer && typeof answer[name] === "string") {
        for (const input of document.querySelectorAll(`input[data-place=path][name=${name}]`)) {
          input.value = answer[name];
        }
      }
    }
  }

  async function send(event) {
    event.preventDefault();
    const form = event.target;
    const outcome = form.querySelector(".outcome");
    const path = address(form);
    if (path === null) return refuse(outcome, "fill in what stands in the address.");
    const headers = { Accept: "application/json, text/plain;q=0.5, */*;q=0.1" };
    if (form.dataset.needsKey === "yes") {
      if (!key.value.trim()) {
        key.focus();
        return refuse(outcome, "type your key at the top of the page first.");
      }
      headers.Authorization = "Bearer " + key.value.trim();
    }
    const options = { method: form.dataset.method, headers, credentials: "omit", cache: "no-store", redirect: "error" };
    if (form.elements.body) {
      options.body = form.elements.body.value;
      headers["Content-Type"] = "application/json";
      if (form.elements.real && !isTest(options.body) && !form.elements.real.checked) {
        form.elements.real.focus();
        return refuse(outcome, "say “test”: true in the body, or that you mean it.");
      }
    }
    const button = form.querySelector("button[type=submit]");
    button.disabled = true;
    const began = performance.now();
    try {
      const response = await fetch(path, options);
      const text = await response.text();
      const ms = Math.round(performance.now() - began);
      const again = response.headers.get("Retry-After");
      const rest = `${response.statusText} · ${ms} ms` + (again ? ` · Retry-After: ${again} s` : "");
      const json = /json/.test(response.headers.get("Content-Type") || "");
      show(outcome, { status: response.status, rest }, String(response.status)[0], json ? indented(text) : text);
      if (response.ok) carryOver(text);
    } catch {
      show(outcome, { status: "no answer", rest: "the exchange could not be reached." }, "5", "");
    } finally {
      button.disabled = false;
    }
  }

  document.querySelectorAll("figure.code").forEach(addCopyButton);
  for (const form of document.querySelectorAll("form.try")) {
    form.addEventListener("submit", send);
    if (form.elements.real) watchTest(form);
  }
  if (key) addEventListener("pagehide", () => { key.value = ""; });
  // A small screen begins with the page, not with its table of contents.
  if (matchMedia("(max-width: 60rem)").matches) {
    document.querySelectorAll(".contents details").forEach((one) => { one.open = false; });
  }
  const opened = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.tagName === "DETAILS") target.open = true;
  };
  addEventListener("hashchange", opened);
  opened();
})();
