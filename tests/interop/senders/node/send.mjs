// node-hl7-client: sends each file to port on one connection, and prints MSA-1 and MSA-2 of each answer.
import { readFileSync } from "node:fs";
import * as hl7 from "node-hl7-client";

const [port, ...files] = process.argv.slice(2);
const Client = hl7.Client ?? hl7.default;
const client = new Client({ host: "127.0.0.1", version: "2.5" });
const answers = [];
let answered = () => {};
const connection = client.createConnection({ port: Number(port) }, (answer) => {
  const message = answer.getMessage();
  answers.push(`${message.get("MSA.1").toString()} ${message.get("MSA.2").toString()}`);
  answered();
});
for (const file of files) {
  const next = new Promise((resolve) => (answered = resolve));
  await connection.sendMessage(new hl7.Message({ text: readFileSync(file, "utf8") }));
  await next;
}
console.log(answers.join("\n"));
await connection.close();
process.exit(0);
