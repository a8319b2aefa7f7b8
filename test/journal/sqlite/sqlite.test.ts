import { describeJournal } from "../describe-journal.ts";
import { createFileMedium } from "./medium.ts";

describeJournal("SQLite", () => Promise.resolve(createFileMedium()));
