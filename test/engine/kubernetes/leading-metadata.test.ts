import { expect, test } from "vitest";
import { leadingMetadata } from "../../../engine/kubernetes/leading-metadata.ts";

const odd = {
  name: 'böse."}{[\\',
  labels: { 'a"}}': "\\", b: "{" },
  annotations: { text: 'line\n"quoted" \\" }} \u0000 ü 🙂' },
  ownerReferences: [{ uid: "}" }],
};

test("an object's metadata is read whatever it holds, and nothing after it is looked at", () => {
  const item = Buffer.from(`{"metadata":${JSON.stringify(odd)},"data": this is no JSON`);
  expect(leadingMetadata(item)).toEqual({ metadata: odd });
});

test("an object whose metadata does not come first, or does not end, is left to others", () => {
  for (const item of [{ kind: "Secret", metadata: odd }, { data: {}, metadata: odd }, {}])
    expect(leadingMetadata(Buffer.from(JSON.stringify(item)))).toBeUndefined();
  const whole = JSON.stringify({ metadata: odd });
  for (let length = 0; length < whole.length - 1; length++)
    expect(leadingMetadata(Buffer.from(whole.slice(0, length)))).toBeUndefined();
});
