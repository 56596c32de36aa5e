import { type Decision, reject, respond } from '../../contract/index.ts';
import { PolicyFailure, PolicyRejection } from '../../errors.ts';
import { challenge } from '../../identity/index.ts';

const NO_STORE: readonly string[] = Object.freeze(['Cache-Control', 'no-store']);

/** The answers of a policy that signs in, made so that none tells one kind of wrong from another. */
export class Answers {
  readonly #challenge: readonly string[];

  /** `loginPath`: for programs that can show a page. */
  constructor(realm: string, loginPath: string) {
    // As draft-broyer-http-cookie-auth has it: a 401 must name a scheme (RFC 9110 §15.5.2).
    const told = challenge('Cookie', { realm, 'form-action': loginPath });
    this.#challenge = Object.freeze(['WWW-Authenticate', told]);
  }

  /** Nothing was presented. */
  missing(fields: readonly string[]): Decision {
    const headers = [...this.#challenge, ...fields];
    return reject(
      new PolicyRejection('unauthenticated', 'Signing in is required.', { headers, rule: 'missing' }),
    );
  }

  /** A session was presented that is none, or none any more. */
  invalidSession(reason: string, fields: readonly string[]): Decision {
    const headers = [...this.#challenge, ...fields];
    const detail = 'The session is not valid. Sign in again.';
    return reject(new PolicyRejection('invalid-credential', detail, { headers, rule: 'session', reason }));
  }

  /** The way back from the provider leads nowhere. */
  failedSignIn(reason: string, fields: readonly string[]): Decision {
    const headers = [...this.#challenge, ...NO_STORE, ...fields];
    const detail = 'The sign-in could not be completed. Go to the page you wanted and try again.';
    return reject(new PolicyRejection('invalid-credential', detail, { headers, rule: 'callback', reason }));
  }

  /** The provider signed nobody in. What it says of it goes into the record alone, and only where it is a code. */
  denied(reason: string, fields: readonly string[]): Decision {
    const detail = 'The identity provider did not sign you in.';
    return reject(
      new PolicyRejection('forbidden', detail, { headers: [...NO_STORE, ...fields], rule: 'denied', reason }),
    );
  }

  /** Signed in, and nobody who is let on: another sign-in would end the same way. */
  stranger(reason: string, fields: readonly string[]): Decision {
    const detail = 'You are signed in, but nobody who is let on here.';
    return reject(
      new PolicyRejection('forbidden', detail, { headers: [...NO_STORE, ...fields], rule: 'claims', reason }),
    );
  }

  /** Another site made the browser ask. */
  notOwn(): Decision {
    const detail = 'Signing out has to be asked for by a page of this site.';
    return reject(
      new PolicyRejection('forbidden', detail, { rule: 'sign-out', reason: 'another site asked' }),
    );
  }

  wrongMethod(allowed: string): Decision {
    const headers = ['Allow', allowed];
    return reject(
      new PolicyRejection('method-not-allowed', `Only ${allowed} is answered here.`, { headers }),
    );
  }

  /** What a provider said about a sign-out proves nothing (Back-Channel Logout §2.8). */
  badLogoutToken(reason: string): Decision {
    const more = { status: 400, rule: 'logout-token', reason, headers: NO_STORE };
    return reject(new PolicyRejection('invalid-credential', 'The logout token is not valid.', more));
  }

  redirect(status: 302 | 303, location: string, fields: readonly string[]): Decision {
    const headers = ['Location', location, ...NO_STORE, 'Referrer-Policy', 'no-referrer', ...fields];
    return respond({ status, headers, body: '' });
  }

  /**
   * Goes on to a page of this origin by a page of this origin: a browser that comes from another site does not send a
   * strict cookie along with the redirects of that very navigation.
   */
  goOn(location: string, fields: readonly string[]): Decision {
    const url = location.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
    const body = `<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=${url}"><title>Signed in</title>\n`;
    const headers = [
      'Content-Type',
      'text/html; charset=utf-8',
      ...NO_STORE,
      'Referrer-Policy',
      'no-referrer',
      ...fields,
    ];
    return respond({ status: 200, headers, body });
  }

  done(): Decision {
    return respond({ status: 200, headers: NO_STORE, body: '' });
  }
}

/** To be thrown where whoever could tell does not answer now. */
export function cannotTell(reason: string): PolicyFailure {
  return new PolicyFailure(
    'identity-unavailable',
    'Signing in is not possible now. Try again later.',
    reason,
  );
}
