import { html, Panel, Empty, Loading, State, Behind, loaded } from '../ui.js';
import { list, now } from '../state.js';
import { ago, words, num } from '../format.js';

const order = { page: 0, ticket: 1, info: 2 };
const text = x => (typeof x === 'number' ? num(x) : typeof x === 'string' ? x : JSON.stringify(x));

export default function Findings({ full }) {
	const all = list('findings').sort((a, b) => order[a.severity] - order[b.severity]);
	return html`<${Panel} id="findings" title="Findings" wide=${full ? 'w12' : 'w6'} sub=${all.length ? all.length + ' active' : ''}>
		${!loaded('findings') ? html`<${Loading} />` : !all.length ? html`<${Empty} title="Nothing found">The analysis looks for retry storms, hidden failures, dead budgets and slow drifts. It has nothing to report now.<//>` :
		html`<ul class="findings">${all.map(f => html`<li key=${f.kind + f.subject} class=${f.severity}><div class="line"><${State} is=${f.severity} /><b>${words(f.kind)}</b><${Behind} filter=${f.subject}><code>${f.subject}</code><//><span class="gap" /><small>${ago(f.since, now.value)}</small></div>
			<p>${f.summary}</p><p class="act"><span>Do</span>${f.action}</p>
			${f.evidence && html`<dl class="evidence">${Object.entries(f.evidence).map(([k, x]) => html`<div><dt>${words(k)}</dt><dd>${text(x)}</dd></div>`)}</dl>`}</li>`)}</ul>`}<//>`;
}
