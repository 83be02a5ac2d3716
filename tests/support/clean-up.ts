type CleanUp = () => unknown;

const afterTest: CleanUp[] = [];
const afterFile: CleanUp[] = [];

/** Run after the test, in reverse order. */
export function later(cleanUp: CleanUp): void {
  afterTest.push(cleanUp);
}

/** Run after the last test of the file, in reverse order. */
export function afterThisFile(cleanUp: CleanUp): void {
  afterFile.push(cleanUp);
}

export const cleanUpAfterTest = (): Promise<void> => runAll(afterTest);
export const cleanUpAfterFile = (): Promise<void> => runAll(afterFile);

/** One that fails keeps no other from its turn: what it leaves would be there for the next file. */
async function runAll(cleanUps: CleanUp[]): Promise<void> {
  const failures: unknown[] = [];
  for (const cleanUp of cleanUps.splice(0).reverse()) {
    try {
      await cleanUp();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}
