/** Over which of so many connections a partition is written: always the same one, so that what is sent first arrives first. */
export function laneOf(partition: string, lanes: number): number {
  let sum = 0;
  for (let index = 0; index < partition.length; index++) sum = (sum * 31 + partition.charCodeAt(index)) >>> 0;
  return sum % lanes;
}
