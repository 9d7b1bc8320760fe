// SPDX-License-Identifier: Apache-2.0
/** Refused events by reason: how many wait, an example of each, and a button that sends them again. */
import { useState } from "preact/hooks";
import { getDeadLetters, type LettersOfReason, type Replayed, replayDeadLetters } from "../api";
import { moment, plural, whole } from "../format";
import { Scroll } from "../scroll";
import { useAnswer } from "../use-answer";

const EVERY_MS = 10_000;

export function DeadLetters() {
  const [replays, setReplays] = useState(0);
  const letters = useAnswer(getDeadLetters, EVERY_MS, `letters ${replays}`);
  const [outcome, setOutcome] = useState("");
  const replay = async (reason: string) => {
    setOutcome(`sending ${reason} again`);
    try {
      let [accepted, refused, why, cursor]: [number, number, string, string | undefined] = [0, 0, "", undefined];
      do {
        const answer: Replayed = await replayDeadLetters(reason, cursor);
        accepted += answer.accepted;
        refused += answer.refused;
        if (why === "" && answer.examples[0] !== undefined) why = `, the first because ${answer.examples[0].detail}`;
        cursor = answer.cursor;
        const more = cursor === undefined ? "" : "; sending the others";
        setOutcome(`${plural(accepted, "letter")} accepted, ${whole(refused)} refused again${why}${more}`);
      } while (cursor !== undefined);
    } catch (error) {
      setOutcome(error instanceof Error ? error.message : String(error));
    }
    setReplays((before) => before + 1);
  };
  return (
    <section class="panel letters">
      <h2>Refused events</h2>
      {letters.problem !== undefined && <p class="problem">{letters.problem}</p>}
      {letters.value?.reasons.length === 0 && <p class="quiet">none waits</p>}
      {letters.value?.reasons.map((each) => (
        <Reason key={each.reason} letters={each} replay={replay} />
      ))}
      <p role="status">{outcome}</p>
    </section>
  );
}

function Reason({ letters, replay }: { letters: LettersOfReason; replay: (reason: string) => void }) {
  const { reason, waiting, more, sample } = letters;
  return (
    <div class="reason">
      <p>
        <strong>{reason}</strong>{" "}
        <span data-waiting={reason}>
          {more ? "more than " : ""}
          {whole(waiting)}
        </span>{" "}
        <button type="button" onClick={() => replay(reason)} aria-label={`Send again: ${reason}`}>
          Send again
        </button>
      </p>
      <details>
        <summary>The newest: {sample.detail}</summary>
        <p class="quiet">
          Letter {sample.id}, received {moment(sample.receivedAt)}
        </p>
        <Scroll label={`Payload of letter ${sample.id}`}>
          <pre>{sample.payload}</pre>
        </Scroll>
      </details>
    </div>
  );
}
