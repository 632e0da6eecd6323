// Lines of "value TAB unit TAB unit" on stdin; on stdout the value in the second unit, or "none", one a line.
import ucum from "@lhncbc/ucum-lhc";
import { createInterface } from "node:readline";

const utils = ucum.UcumLhcUtils.getInstance();
for await (const line of createInterface({ input: process.stdin })) {
  const [value, from, to] = line.split("\t");
  const found = utils.convertUnitTo(from, Number(value), to);
  console.log(found.status === "succeeded" ? String(found.toVal) : "none");
}
