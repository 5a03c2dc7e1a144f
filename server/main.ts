import { runService } from "./service.ts";

runService(process.argv.slice(2));
