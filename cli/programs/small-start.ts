// SPDX-License-Identifier: Apache-2.0
/** A program that imports this module first keeps V8's young generation small while it loads the others. */
import { keepYoungGenerationSmall } from "../young-generation";

keepYoungGenerationSmall();
