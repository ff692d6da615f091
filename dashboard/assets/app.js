// The page: header, banner, navigation, and the panels of the view.
import { render } from './vendor/preact.js';
import { useEffect, useState } from './vendor/hooks.js';
import { html, Dialog, Button } from './ui.js';
import { start, me, ready, view, go, href, dialog, list, topics, stale, paused, api } from './state.js';
import { Header, Banner, Help, stream } from './panels/header.js';
import { Stop, Resume, stateName } from './stop.js';
import { pct, rate, times, dur, num, tone } from './format.js';
import Policies from './panels/policies.js';
import Outcomes from './panels/outcomes.js';
import Reasons from './panels/reasons.js';
import Circuits from './panels/circuits.js';
import Budgets from './panels/budgets.js';
import Trading from './panels/trading.js';
import Findings from './panels/findings.js';
import Components from './panels/components.js';
import Events from './panels/events.js';
import Audit from './panels/audit.js';
import Tuning from './panels/tuning.js';
import Learning from './panels/learning.js';

const open = c => c.state === 'open' || c.state === 'isolated';
const pages = {
	overview: ['Overview', [Outcomes, Reasons, Policies, Circuits, Budgets, Trading, Findings, Components, Events]],
	policies: ['Policies', [Policies, Outcomes, Reasons]],
	circuits: ['Circuits', [Circuits], () => list('circuits').filter(open).length],
	budgets: ['Budgets', [Budgets], () => list('budgets').filter(b => b.level < 1).length],
	trading: ['Trading', [Trading], () => list('venues').reduce((n, v) => n + v.unknown, 0)],
	findings: ['Findings', [Findings], () => list('findings').length],
	components: ['Components', [Components], () => list('components').filter(c => c.state !== 'up').length],
	events: ['Live tail', [Events]], audit: ['Audit', [Audit]], tuning: ['Tuning', [Tuning, Learning]],
};

const Nav = () => html`<nav aria-label="Views">${Object.entries(pages).map(([k, [name, , count]]) => { const n = count && count(); return html`<a href=${href({ panel: k })} aria-current=${view.value.panel === k ? 'page' : null}>${name}${n ? html`<span class="badge">${num(n)}</span>` : ''}</a>`; })}</nav>`;

const Tile = ({ name, value, sub, tone, to }) => html`<a class="tile" href=${href(to)}><span>${name}</span><b class=${tone || ''}>${value}</b><small>${sub}</small></a>`;

function Tiles() {
	const t = topics.overview.value?.totals || {}, p = { panel: 'policies' };
	return html`<div class="tiles ${stale.value ? 'late' : ''}"><${Tile} name="Success" value=${pct(t.success)} sub=${'first try ' + pct(t.first_try)} tone=${tone(t.success)} to=${p} />
		<${Tile} name="Calls" value=${rate(t.calls)} sub=${'+' + num(t.retries) + ' retries'} to=${p} /><${Tile} name="Amplification" value=${times(t.amplification)} sub="attempts of a call" tone=${t.amplification > 1.5 ? 'bad' : t.amplification > 1.2 ? 'warn' : ''} to=${p} />
		<${Tile} name="Latency p99" value=${dur(t.call_p99)} sub=${'p50 ' + dur(t.call_p50)} to=${p} /><${Tile} name="In flight" value=${num(t.in_flight)} sub=${num(t.waiting) + ' wait to retry'} to=${p} />
		<${Tile} name="Circuits open" value=${num(t.open)} sub=${'of ' + list('circuits').length} tone=${t.open ? 'bad' : ''} to=${{ panel: 'circuits' }} /><${Tile} name="Unknown orders" value=${num(t.unknown)} sub=${t.unknown ? 'being reconciled' : 'all reconciled'} tone=${t.unknown ? 'bad' : ''} to=${{ panel: 'trading' }} /></div>`;
}

function SignIn() {
	const [error, fail] = useState('');
	const submit = async e => {
		e.preventDefault();
		try { await api('session', { token: e.target.token.value }); await start(); } catch (x) { fail(x.message); }
	};
	return html`<main class="center"><form class="panel signin" onSubmit=${submit}><h1>relent</h1><p>Sign in with your token.</p>
		<input hidden autocomplete="username" /><label class="field"><span>Token</span><input name="token" id="token" type="password" required autocomplete="current-password" /></label>
		${error && html`<p class="error" role="alert">${error}</p>`}<button class="button primary">Sign in</button></form></main>`;
}

// Says to assistive technology what changed, at most once in five seconds.
function Announce() {
	const [said, say] = useState(''), word = stream()[1];
	const bad = [...list('stops').filter(s => s.state !== 'running' && !s.drill).map(s => stateName(s.state) + ' in ' + s.scope), ...list('circuits').filter(open).map(c => 'circuit open: ' + c.policy + ' ' + c.target)].join('. ');
	useEffect(() => { const t = setTimeout(() => say(bad), said ? 5000 : 0); return () => clearTimeout(t); }, [bad]);
	return html`<div class="hidden"><p role="status">${word}</p><p role="alert">${said}</p></div>`;
}

const dialogs = { stop: ['Emergency stop', Stop], resume: ['Release', Resume], help: ['Views and keys', Help] };

function App() {
	const m = me.value;
	if (!m) return null;
	if (m.error) return html`<main class="center"><div class="panel signin"><h1>relent</h1><p class="error" role="alert">${m.error}. It is tried again every two seconds.</p><${Button} onClick=${start}>Retry now<//></div></main>`;
	if (m.role === 'anyone') return html`<${SignIn} />`;
	if (!ready.value) return null;
	const page = pages[view.value.panel], d = dialog.value, [title, Body] = d ? dialogs[d.kind] : [];
	return html`<${Header} /><${Announce} /><${Banner} /><div class="body"><${Nav} /><main class=${stale.value ? 'stale' : ''}>${page ? html`<h1 class="hidden">${page[0]}</h1>
		${view.value.panel === 'overview' && html`<${Tiles} />`}<div class="grid">${page[1].map(P => html`<${P} key=${P.name} full=${view.value.panel !== 'overview'} />`)}</div>` :
		html`<section class="panel"><div class="empty"><b>There is no view ${view.value.panel}</b><p>The address may be mistyped.</p><a class="button" href="?">Overview</a></div></section>`}</main></div>
		${d && html`<${Dialog} title=${title} kind=${d.kind} close=${() => (dialog.value = null)}><${Body} ...${d} /><//>`}`;
}

let g = 0;
addEventListener('keydown', e => {
	if (e.ctrlKey || e.metaKey || e.altKey || dialog.value || /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName)) return e.key === 'Escape' && e.target.id === 'filter' && e.target.blur();
	const to = Date.now() - g < 1000 && { o: 'overview', c: 'circuits', b: 'budgets', a: 'audit' }[e.key];
	g = e.key === 'g' ? Date.now() : 0;
	if (to) go({ panel: to });
	else if (e.key === 'p') go({ paused: paused.value ? '' : '1' }, true);
	else if (e.key === '?') dialog.value = { kind: 'help' };
	else if (e.key === '/') { e.preventDefault(); setTimeout(() => document.getElementById('filter')?.focus()); }
});

render(html`<${App} />`, document.getElementById('app'));
start();
