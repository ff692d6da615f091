import { html, Panel, Button, Empty, Loading, Behind } from '../ui.js';
import { useState } from '../vendor/hooks.js';
import { signal, effect } from '../vendor/signals.js';
import { api, topics, view, go, span, now, conn } from '../state.js';
import { Chart } from '../chart.js';
import { words, num, clock } from '../format.js';

export const names = ['success_first_try', 'success_after_retry', 'exhausted', 'not_retryable', 'deadline_exceeded', 'budget_denied', 'breaker_denied', 'stopped', 'cancelled', 'unknown_outcome'];
const past = signal(null); // {policy, step, points} | {error}
let points = [];

// The past comes once, and again after a reconnect; then each point of the stream is added to it.
effect(() => {
	const { policy } = view.value, { state, epoch } = conn.value;
	if (state === 'live') load(policy, epoch);
});
let loading;
async function load(policy, epoch, again) {
	if (!again && loading === policy + epoch) return;
	loading = policy + epoch;
	try {
		const got = await api('history?range=1h&policy=' + encodeURIComponent(policy));
		if (view.value.policy !== policy) return;
		points = got.points;
		past.value = { policy, step: got.step, points };
	} catch (error) {
		past.value = { policy, error: error.message };
	}
}
effect(() => {
	const p = topics.series.value?.last, old = past.peek();
	if (!p || !old || old.error) return;
	if (old.policy) return void (p.t - (points.at(-1)?.t ?? 0) > 5000 && load(old.policy, conn.peek().epoch, true));
	if (p.t > (points.at(-1)?.t ?? 0)) past.value = { ...old, points: (points = [...points.slice(-3600), p]) };
});

export default function Outcomes() {
	const [table, flip] = useState(false), [few, only] = useState(false);
	const p = past.value, v = view.value, [z0, z1] = v.zoom.split('-').map(Number);
	const end = p?.points?.at(-1)?.t / 1000 || now.value / 1000, min = z1 ? z0 : end - span.value, max = z1 || end;
	const tools = html`<${Button} kind="quiet" aria-pressed=${few} onClick=${() => only(!few)}>Failures only<//><${Button} kind="quiet" icon="table" label="View as table" aria-pressed=${table} onClick=${() => flip(!table)} />`;
	const sub = v.policy ? html`${v.policy} <button type="button" class="plain" onClick=${() => go({ policy: '' }, true)}>show all</button>` : 'calls a second, all policies';
	return html`<${Panel} id="outcomes" title="Outcomes" wide="w8" sub=${sub} tools=${tools}>${body()}<//>`;

	function body() {
		if (!p) return html`<div class="chart"><${Loading} rows=${6} /></div>`;
		if (p.error) return html`<${Empty} title="No history">${p.error}. <button type="button" class="plain" onClick=${() => go({ policy: '' }, true)}>Show all policies</button><//>`;
		const seen = p.points.filter(x => x.t / 1000 >= min - p.step && x.t / 1000 <= max + 1);
		if (!seen.length) return html`<div class="chart"><${Empty} title="Nothing in this range yet" cmd="relent demo">Points appear each second while calls are made. To see some, run<//></div>`;
		const totals = names.map((_, o) => seen.reduce((n, x) => n + x.outcomes[o], 0));
		const shown = names.map((_, o) => o).filter(o => !few || o > 1);
		return html`${table ? html`<div class="scroll chart" tabindex="0" role="region" aria-label="Outcomes as a table"><table><thead><tr><th scope="col">Time</th>${shown.map(o => html`<th scope="col" class="num">${words(names[o])}</th>`)}</tr></thead>
			<tbody>${seen.slice(-60).reverse().map(x => html`<tr key=${x.t}><td>${clock(x.t)}</td>${shown.map(o => html`<td class="num">${x.outcomes[o]}</td>`)}</tr>`)}</tbody></table></div>`
			: html`<${Chart} points=${seen} step=${p.step} shown=${shown} names=${names} min=${min} max=${max} slo=${few ? 0 : v.slo / 100} zoom=${(a, b) => go({ zoom: Math.round(a) + '-' + Math.round(b) })} />`}
		<ul class="legend">${shown.filter(o => totals[o] || o < 2).map(o => html`<li><i class=${'k' + o} /><${Behind} filter=${(v.policy ? 'policy:' + v.policy + ' ' : '') + 'outcome:' + names[o]}>${words(names[o])}<//><b>${num(totals[o])}</b></li>`)}
			${!few && html`<li><i class="slo" />objective ${v.slo} %</li>`}</ul>`;
	}
}
