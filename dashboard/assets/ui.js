// The pieces that panels are made of.
import { h } from './vendor/preact.js';
import { useEffect, useRef, useState } from './vendor/hooks.js';
import htm from './vendor/htm.js';
import { go, href, prefs, view, stale, heard, now, topics, list } from './state.js';
import { dur, none } from './format.js';

export const html = htm.bind(h);

const paths = {
	up: 'M3 8.5l3.2 3L13 5', open: 'M4 4l8 8M12 4l-8 8', half: 'M8 2v12M8 2a6 6 0 0 1 0 12', warn: 'M8 2.5l6 11H2zM8 6.5v3M8 11.4v.6',
	info: 'M8 7v5M8 4v.5', lock: 'M4 7.5h8V13H4zM5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5', pause: 'M5.5 3v10M10.5 3v10', play: 'M5 3l8 5-8 5z',
	stop: 'M5 2h6l3 3v6l-3 3H5l-3-3V5z', unknown: 'M5.5 6a2.5 2.5 0 1 1 3.6 2.2c-.8.4-1.1.8-1.1 1.6M8 12v.5', sun: 'M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6M8 1v2M8 13v2M1 8h2M13 8h2',
	slow: 'M3 11a5.5 5.5 0 1 1 10 0M8 10l2.5-4', rows: 'M2 4h12M2 8h12M2 12h12', table: 'M2 3h12v10H2zM2 7h12M7 3v10',
};
export const Icon = ({ name }) => html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d=${paths[name]} /></svg>`;

// State is never told by colour alone: a sign, a word and a colour.
const states = {
	closed: ['up', 'ok'], up: ['up', 'ok'], running: ['up', 'ok'], suspect: ['warn', 'warn'], throttling: ['slow', 'warn'], half_open: ['half', 'warn'],
	open: ['open', 'bad'], isolated: ['lock', 'bad'], degraded: ['warn', 'warn'], failing: ['open', 'bad'], unknown: ['unknown', 'dim'],
	page: ['warn', 'bad'], ticket: ['warn', 'warn'], info: ['info', 'dim'],
};
export function State({ is, word }) {
	const [icon, tone] = states[is] || ['stop', 'bad'];
	return html`<span class="state ${tone}"><${Icon} name=${icon} />${word || is.replace('_', ' ')}</span>`;
}

export function Panel({ id, title, sub, wide, tools, children }) {
	const late = stale.value;
	return html`<section class="panel ${wide || ''} ${late ? 'late' : ''}" id=${'p-' + id} aria-labelledby=${'t-' + id}>
		<header><h2 id=${'t-' + id}>${title}</h2>${sub && html`<small>${sub}</small>`}<span class="gap" />
			<${Missing} />${late && html`<small class="chip warn">${dur((now.value - heard.value) / 1000)} old</small>`}${tools}</header>
		${children}</section>`;
}

// Of a fleet, every panel says who is missing.
function Missing() {
	const all = list('instances'), away = all.filter(i => !i.connected);
	return away.length ? html`<small class="chip warn" title=${'not heard from: ' + away.map(i => i.name).join(', ')}>${all.length - away.length} of ${all.length} instances, without ${away[0].name}${away.length > 1 ? ' and others' : ''}</small>` : null;
}

export const Empty = ({ title, cmd, children }) => html`<div class="empty"><b>${title}</b><p>${children}</p>${cmd && html`<code>${cmd}</code>`}</div>`;
export const Loading = ({ rows = 5 }) => html`<div class="skeleton" role="status" aria-label="loading">${Array.from({ length: rows }, () => html`<i />`)}</div>`;

export const Button = ({ kind, icon, label, children, ...more }) => html`<button type="button" class=${'button ' + (kind || '')} aria-label=${label} title=${label} ...${more}>${icon && html`<${Icon} name=${icon} />`}${children}</button>`;

// A number that leads to the events behind it.
export const Behind = ({ filter, children, label }) => html`<a href=${href({ panel: 'events', filter })} aria-label=${label}>${children}</a>`;

export const Bar = ({ of, tone, label }) => html`<span class="bar ${tone || ''}" role="img" aria-label=${label}><i style=${{ width: Math.max(0, Math.min(1, of || 0)) * 100 + '%' }} /></span>`;

export function Spark({ values }) {
	const top = Math.max(...values, 1e-9), at = (v, i) => (72 - (values.length - 1 - i) * 72 / 23).toFixed(1) + ' ' + (17 - v / top * 14).toFixed(1);
	return html`<svg class="spark" viewBox="0 0 72 18" aria-hidden="true">${values.length > 1 && html`<path d=${'M' + values.map(at).join('L')} />`}</svg>`;
}

// A Table sorts, and draws only the rows that can be seen when there are many.
// cols: {key, label, get(row), show(row), num}
export function Table({ id, cols, rows, keyOf, empty, loaded, label, height }) {
	const [top, scroll] = useState(0);
	if (!loaded) return html`<${Loading} />`;
	if (!rows.length) return empty;
	const [tid, key] = view.value.sort.split(':');
	const by = tid === id && cols.find(c => c.key === key.replace('-', ''));
	if (by) {
		const sign = key[0] === '-' ? -1 : 1;
		rows = rows.slice().sort((a, b) => {
			const x = by.get(a) ?? -Infinity, y = by.get(b) ?? -Infinity;
			return (x < y ? -1 : x > y ? 1 : 0) * sign;
		});
	}
	const row = prefs.value.density ? 44 : 32, many = rows.length > 60;
	const from = many ? Math.max(0, Math.floor(top / row) - 8) : 0, to = many ? from + Math.ceil((height || 640) / row) + 16 : rows.length;
	const sort = c => go({ sort: id + ':' + (by === c && key[0] !== '-' ? '-' : '') + c.key }, true);
	return html`<div class="scroll" tabindex="0" role="region" aria-label=${label} style=${height && { maxHeight: height + 'px' }} onScroll=${e => many && scroll(e.currentTarget.scrollTop)}>
		<table aria-rowcount=${rows.length}><thead><tr>${cols.map(c => html`<th scope="col" class=${(c.num ? 'num ' : '') + (c.css || '')} aria-sort=${by === c ? (key[0] === '-' ? 'descending' : 'ascending') : c.get && 'none'}>
			${c.get ? html`<button type="button" onClick=${() => sort(c)}>${c.label}</button>` : c.label}</th>`)}</tr></thead>
		<tbody>${from > 0 && html`<tr class="space" style=${{ height: from * row + 'px' }} />`}
			${rows.slice(from, to).map((r, i) => html`<tr key=${keyOf(r)} aria-rowindex=${from + i + 1} class=${r.class_ || ''}>${cols.map(c => html`<td class=${(c.num ? 'num ' : '') + (c.css || '')}>${c.show(r) ?? none}</td>`)}</tr>`)}
			${to < rows.length && html`<tr class="space" style=${{ height: (rows.length - to) * row + 'px' }} />`}</tbody></table></div>`;
}

export function Dialog({ title, close, children, kind }) {
	const ref = useRef();
	useEffect(() => {
		const back = document.activeElement, d = ref.current;
		d.showModal();
		(d.querySelector('[data-first]') || d).focus();
		return () => { d.close(); back && back.isConnected && back.focus(); };
	}, []);
	return html`<dialog ref=${ref} class=${kind} aria-labelledby="dialog-title" onCancel=${e => { e.preventDefault(); close(); }}>
		<header><h2 id="dialog-title">${title}</h2><span class="gap" /><${Button} kind="quiet" icon="open" label="Close" onClick=${close} /></header>${children}</dialog>`;
}

export const loaded = t => topics[t].value !== null;
