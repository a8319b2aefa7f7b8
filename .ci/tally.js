// Sums up the JSON reports of several vitest runs in one closing line.
import { readFileSync } from "node:fs";

const reports = process.argv.slice(2).map((file) => JSON.parse(readFileSync(file, "utf8")));
const sum = (field) => reports.reduce((total, report) => total + report[field], 0);
const failedSuites = reports.filter(({ success }) => !success).length;
const failed = Math.max(sum("numFailedTests"), failedSuites);
console.log(`${sum("numPassedTests")} passed, ${failed} failed`);
