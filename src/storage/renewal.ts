/**
 * Putting an object again writes nothing when it was stored less than this ago (milliseconds). Safe because nothing younger than
 * 24 hours is ever collected: whoever put it again still has 23 hours to refer to it.
 */
export const RENEW_AFTER_MS = 60 * 60_000;
