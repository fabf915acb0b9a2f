// The reference, drawn from /openapi.json: nothing is loaded from elsewhere.

import { $, el } from "../shared/dom.js";

let api;

function resolved(schema) {
  if (!schema?.$ref) return schema ?? {};
  return schema.$ref.split("/").slice(1).reduce((node, key) => node[key], api);
}

function typeName(schema) {
  const own = resolved(schema);
  if (schema?.anyOf) return schema.anyOf.map(typeName).join(" | ");
  if (own.enum) return own.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (own.type === "array") return `${typeName(own.items)}[]`;
  if (own.type === "object" && own.additionalProperties) return `object of ${typeName(own.additionalProperties)}`;
  const range = [own.minimum, own.maximum].some((bound) => bound !== undefined)
    ? ` ${own.minimum ?? "…"}–${own.maximum ?? "…"}` : "";
  if (own.format === "binary" || own.contentMediaType) return "file";
  return `${own.title && own.properties ? own.title : own.type ?? "any"}${range}`;
}

function example(schema, depth = 0) {
  const own = resolved(schema);
  const given = schema?.examples?.[0] ?? own.examples?.[0];
  if (given !== undefined) return given;
  if (schema?.default !== undefined && schema.default !== null) return schema.default;
  if (own.anyOf) return example(own.anyOf[0], depth);
  if (own.enum) return own.enum[0];
  if (own.type === "object" && own.properties && depth < 5) {
    return Object.fromEntries(Object.entries(own.properties).map(([name, field]) => [name, example(field, depth + 1)]));
  }
  if (own.type === "array") return [example(own.items, depth + 1)];
  return { string: "", integer: 0, number: 0.5, boolean: false, object: {}, null: null }[own.type] ?? null;
}

function prose(text) {
  return (text ?? "").split("`").map((part, i) => (i % 2 ? el("code", {}, part) : part));
}

function rows(fields) {
  return el("table", {}, el("tbody", {}, ...fields.map(([name, type, text]) =>
    el("tr", {}, el("th", { scope: "row" }, el("code", {}, name)), el("td", {}, type), el("td", {}, ...prose(text))))));
}

function bodyFields(schema) {
  const own = resolved(schema);
  const required = new Set(own.required ?? []);
  return Object.entries(own.properties ?? {}).map(([name, field]) => [
    name, typeName(field) + (required.has(name) ? "" : ", optional"),
    field.description ?? resolved(field).description,
  ]);
}

function curl(method, path, content) {
  const address = `'${location.origin}${path}'`;
  if (method === "get") return `curl ${address}`;
  if (content["multipart/form-data"]) return `curl ${address} -F image=@cell.png -F k=10 -F 'where={"site": "cervix"}'`;
  const [kind] = Object.keys(content);
  if (!kind) return `curl -X ${method.toUpperCase()} ${address}`;
  const body = JSON.stringify(example(content[kind].schema), null, 2);
  return `curl ${address} -H 'Content-Type: ${kind}' -d '${body.replaceAll("'", "'\\''")}'`;
}

function endpoint(path, method, operation) {
  const content = operation.requestBody?.content ?? {};
  const [kind] = Object.keys(content);
  const answer = operation.responses["200"]?.content ?? {};
  const answerSchema = answer["application/json"]?.schema;
  const parameters = (operation.parameters ?? []).map((parameter) => [
    parameter.name, typeName(parameter.schema) + (parameter.required ? "" : ", optional"),
    parameter.description ?? parameter.schema.description,
  ]);
  return el("section", { className: "endpoint", id: operation.operationId },
    el("h2", {}, el("span", { className: "method" }, method.toUpperCase()), el("code", {}, path)),
    el("p", { className: "lead" }, operation.summary ?? ""),
    el("p", { className: "text" }, ...prose(operation.description)),
    ...(parameters.length ? [el("h3", {}, "Parameters"), rows(parameters)] : []),
    ...(kind ? [el("h3", {}, `Body: ${kind}`), rows(bodyFields(content[kind].schema))] : []),
    el("h3", {}, "Try it"), el("pre", {}, curl(method, path, content)),
    ...(answerSchema
      ? [el("h3", {}, "Answer"), rows(bodyFields(answerSchema)), el("h3", {}, "Its shape"),
        el("pre", {}, JSON.stringify(example(answerSchema), null, 2))]
      : [el("h3", {}, "Answer"), el("p", { className: "text" }, Object.keys(answer).join(", "))]),
    el("h3", {}, "Statuses"),
    rows(Object.entries(operation.responses).map(([status, response]) => [
      status, Object.keys(response.content ?? {}).join(", "), response.description])));
}

async function draw() {
  api = await (await fetch("openapi.json")).json();
  $("summary").textContent = api.info.summary;
  const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => [path, method, operation]));
  $("contents").replaceChildren(...operations.map(([path, method, operation]) =>
    el("li", {}, el("a", { href: `#${operation.operationId}` }, `${method.toUpperCase()} ${path}`))));
  $("reference").replaceChildren(...operations.map((operation) => endpoint(...operation)));
}

draw().catch((error) => { $("state").textContent = `The reference cannot be read: ${error.message}`; });
