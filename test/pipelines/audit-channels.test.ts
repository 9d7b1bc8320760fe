// SPDX-License-Identifier: Apache-2.0
import { auditChannelsContract } from "./audit-channels-contract";
import { TierHarness } from "./tier-harness";

auditChannelsContract("SQLite", () => TierHarness.open());
