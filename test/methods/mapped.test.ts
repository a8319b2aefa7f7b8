import { expect, test } from "vitest";
import { mapped } from "../../src/methods/mapped.ts";

async function collected<T>(messages: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const message of messages) {
    all.push(message);
  }
  return all;
}

test("messages are changed in order, and an end can become an error", async () => {
  async function* numbers() {
    yield* await Promise.resolve([1, 2, 3]);
  }
  const double = (each: number): number => 2 * each;
  expect(await collected(mapped(numbers(), { message: double }))).toEqual([2, 4, 6]);
  const end = (): void => {
    throw new Error("ended");
  };
  await expect(collected(mapped(numbers(), { message: double, end }))).rejects.toThrow("ended");
  expect(await collected(mapped(numbers(), {}))).toEqual([1, 2, 3]);
  await expect(collected(mapped(numbers(), { end }))).rejects.toThrow("ended");
});

test("an error is changed, and what is left early ends what it comes from", async () => {
  let isOver = false;
  async function* failing() {
    try {
      yield await Promise.resolve(1);
      throw new Error("raised");
    } finally {
      isOver = true;
    }
  }
  const message = (each: number): number => each;
  const error = (): Error => new Error("outgoing");
  await expect(collected(mapped(failing(), { message, error }))).rejects.toThrow("outgoing");
  isOver = false;
  for await (const each of mapped(failing(), { message })) {
    expect(each).toBe(1);
    break;
  }
  expect(isOver).toBe(true);
});
