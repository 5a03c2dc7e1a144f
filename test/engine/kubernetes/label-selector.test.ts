import { expect, test } from "vitest";
import { labelSelectorOf } from "../../../engine/kubernetes/label-selector.ts";

test.each([
  [{ matchLabels: { app: "web", tier: "1" } }, "app=web,tier=1"],
  [{ app: "web" }, "app=web"],
  [
    {
      matchLabels: { app: "web" },
      matchExpressions: [
        { key: "a", operator: "In", values: ["1", "2"] },
        { key: "b", operator: "NotIn", values: ["3"] },
        { key: "c", operator: "Exists" },
        { key: "d", operator: "DoesNotExist" },
      ],
    },
    "app=web,a in (1,2),b notin (3),c,!d",
  ],
])("the selector %j is asked for as the API takes it", (selector, text) => {
  expect(labelSelectorOf(selector)).toBe(text);
});
