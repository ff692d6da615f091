// The emergency stop: quick to engage, careful to release.
import { html, Button } from './ui.js';
import { useEffect, useRef, useState } from './vendor/hooks.js';
import { api, me, dialog, topics, now } from './state.js';
import { num, ago } from './format.js';

const states = {
	'no-retries': ['Stop retries', 'First attempts pass, nothing is attempted twice.'],
	'risk-reducing': ['Reduce only', 'Cancels and position-reducing calls pass, nothing else starts.'],
	drain: ['Drain', 'Attempts in flight finish. No new calls, no retries.'],
	stopped: ['Stop everything', 'No attempt starts. Waiting calls return at once; running ones finish.'],
};
export const stateName = s => (states[s] || [s])[0];

// mayNot says why this person cannot steer, or nothing.
export function mayNot() {
	const m = me.value;
	return m.read_only ? 'This dashboard is read-only' : !m.commander ? 'Nothing here carries commands out' : m.role === 'viewer' ? 'Takes the role operator; you are viewer' : '';
}

const quote = s => "'" + s.replace(/'/g, "'\\''") + "'";

function useRadius(scope) {
	const [r, set] = useState(null);
	useEffect(() => {
		let gone = false;
		const ask = () => api('radius?scope=' + encodeURIComponent(scope)).then(x => gone || set(x), e => gone || set({ error: e.message }));
		ask();
		const t = setInterval(ask, 1000);
		return () => { gone = true; clearInterval(t); };
	}, [scope]);
	return r;
}

function Radius({ of: r, state }) {
	if (!r || r.error) return html`<div class="radius"><p>${r ? 'What it would meet is not known: ' + r.error : 'Counting what it would meet…'}</p></div>`;
	return html`<div class="radius" aria-live="off"><dl class="facts"><div><dt>Policies</dt><dd>${num(r.policies.length)}</dd></div><div><dt>In flight</dt><dd>${num(r.in_flight)}</dd></div><div><dt>Waiting</dt><dd>${num(r.waiting)}</dd></div>
		<div><dt>Unknown orders</dt><dd class=${r.unknown ? 'bad' : ''}>${num(r.unknown)}</dd></div></dl>${state && html`<p>Still let through: ${states[state][1]}</p>`}<p>This stops the next attempt. It does not unsend what was sent.</p></div>`;
}

// send calls the server once at a time, however often it is clicked.
function useSend(path, done) {
	const [error, fail] = useState(''), [busy, work] = useState(false), on = useRef(false);
	return [error, busy, async body => {
		if (on.current) return;
		on.current = true; work(true); fail('');
		try { await api(path, body); done(); } catch (e) { fail(e.message); }
		on.current = false; work(false);
	}];
}

const key = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), b => b.toString(16).padStart(2, '0')).join('');

export function Stop({ scope: first }) {
	const [f, set] = useState({ scope: first || 'global', state: 'no-retries', reason: '', ticket: '', expires: 0, cancel: false, drill: false });
	const [scopes, offer] = useState([f.scope]), [typed, type] = useState(''), idem = useRef(key());
	useEffect(() => void api('scopes').then(offer, () => 0), []);
	const put = (k, how = 'value') => e => set({ ...f, [k]: how === 'number' ? +e.target.value : e.target[how] });
	const radius = useRadius(f.scope), all = f.state === 'stopped', must = all && f.scope === 'global';
	const [error, busy, send] = useSend('stop', () => (dialog.value = null));
	const cli = 'relent stop ' + f.scope + ' --state ' + f.state + ' --reason ' + quote(f.reason || 'why');
	const submit = e => { e.preventDefault(); send({ ...f, expires: all ? 0 : f.expires * 6e10, cancel: all && f.cancel, key: idem.current }); };
	return html`<form class="stop" onSubmit=${submit}>
		<label class="field"><span>Scope</span><select id="scope" data-first value=${f.scope} onChange=${put('scope')}>${scopes.map(s => html`<option value=${s}>${s}</option>`)}</select></label>
		<fieldset class="choices"><legend>State</legend>${Object.entries(states).map(([s, [name, text]]) => html`<label><input type="radio" name="state" value=${s} checked=${f.state === s} onChange=${put('state')} /><b>${name}</b><small>${text}</small></label>`)}</fieldset>
		<label class="field"><span>Reason</span><input id="reason" required maxlength="300" value=${f.reason} onInput=${put('reason')} /></label>
		<div class="line"><label class="field grow"><span>Ticket</span><input maxlength="60" value=${f.ticket} onInput=${put('ticket')} /></label>
			<label class="field"><span>Ends</span><select value=${all ? 0 : f.expires} disabled=${all} onChange=${put('expires', 'number')}><option value="0">when released</option><option value="15">in 15 min</option><option value="60">in 1 hour</option><option value="240">in 4 hours</option></select></label></div>
		<div class="line">${all && html`<label class="check"><input type="checkbox" checked=${f.cancel} onChange=${put('cancel', 'checked')} />Cancel running attempts</label>`}
			<label class="check"><input type="checkbox" checked=${f.drill} onChange=${put('drill', 'checked')} />Drill: stops nothing</label></div>
		<${Radius} of=${radius} state=${f.state} />
		${must && html`<label class="field"><span>Type <b>global</b> to confirm</span><input id="typed" required pattern="global" autocomplete="off" value=${typed} onInput=${e => type(e.target.value)} /></label>`}
		${error && html`<p class="error" role="alert">Not stopped: ${error}</p>`}
		${(busy || error) && html`<p class="cli">${busy ? 'The server has not answered yet. ' : ''}Without a server: <code>${cli}</code> <${Button} kind="quiet" onClick=${() => navigator.clipboard.writeText(cli)}>Copy<//></p>`}
		<footer><${Button} onClick=${() => (dialog.value = null)}>Cancel<//><button class="button danger solid" id="engage" aria-disabled=${busy || (must && typed !== 'global')}>${busy ? 'Stopping…' : f.drill ? 'Start the drill' : states[f.state][0]}</button></footer></form>`;
}

export function Resume({ stop: s }) {
	const [f, set] = useState({ reason: '', approver: '' }), radius = useRadius(s.scope);
	const [error, busy, send] = useSend('resume', () => (dialog.value = null));
	const newer = topics.stops.value?.[s.scope]?.epoch > s.epoch;
	const put = k => e => set({ ...f, [k]: e.target.value });
	return html`<form class="stop" onSubmit=${e => { e.preventDefault(); send({ scope: s.scope, epoch: s.epoch, ...f }); }}>
		<input hidden autocomplete="username" /><p><b>${stateName(s.state)}</b> in <code>${s.scope}</code>, by ${s.actor}, ${ago(s.since, now.value)} ago: ${s.reason}</p>
		${newer && html`<p class="error" role="alert">It was stopped again meanwhile. Close this, and look at the newer stop.</p>`}
		<label class="field"><span>Why it is safe to go on</span><input id="reason" data-first required maxlength="300" value=${f.reason} onInput=${put('reason')} /></label>
		<label class="field"><span>${me.value.auth ? 'Token of a second person' : 'Name of a second person'}</span><input id="approver" required type=${me.value.auth ? 'password' : 'text'} autocomplete="off" value=${f.approver} onInput=${put('approver')} /><small>Neither you nor ${s.actor || 'whoever stopped it'}.</small></label>
		<${Radius} of=${radius} />
		${radius?.below?.length ? html`<p>These remain stopped: ${radius.below.map(b => html`<code>${b.scope}</code> `)}</p>` : ''}
		<p class="dim">Calls come back in steps: 10 %, 50 %, 100 %. Epoch ${s.epoch}.</p>
		${error && html`<p class="error" role="alert">Not released: ${error}</p>`}
		<footer><${Button} onClick=${() => (dialog.value = null)}>Cancel<//><button class="button primary" id="release" aria-disabled=${busy}>${busy ? 'Releasing…' : 'Release'}</button></footer></form>`;
}
