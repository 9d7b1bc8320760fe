import { applyFixes } from "./index";

applyFixes();
