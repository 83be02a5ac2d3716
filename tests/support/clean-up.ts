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

async function runAll(cleanUps: CleanUp[]): Promise<void> {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
}
