import { html, Button, Icon } from '../ui.js';
import { useRef } from '../vendor/hooks.js';
import { view, go, href, me, conn, heard, now, stale, paused, fresh, topics, list, prefs, prefer, spans, reconnect, dialog, api } from '../state.js';
import { dur, ago, ahead, pct } from '../format.js';
import { mayNot, stateName } from '../stop.js';

// What the stream is doing, in a word and a sentence.
export function stream() {
	const c = conn.value, t = now.value;
	if (paused.value) return ['paused', 'PAUSED', fresh.value + ' new events', 'pause'];
	if (c.state === 'reconnecting') return ['warn', 'Reconnecting', c.at ? 'in ' + dur(Math.max(0, Math.ceil((c.at - t) / 1000))) : c.cause, 'warn'];
	if (stale.value) return ['warn', 'Stale', dur((t - heard.value) / 1000), 'warn'];
	if (c.state === 'connecting') return ['dim', 'Connecting', '', 'unknown'];
	return ['ok', 'Live', (1000 / c.interval).toFixed(0) + ' Hz, ' + Math.max(0, Math.floor((t - heard.value) / 1000)) + ' s old', 'up'];
}

export function Header() {
	const [tone, word, more, icon] = stream();
	const o = topics.overview.value || {}, box = useRef(), v = view.value;
	return html`<header class="top">
		<a class="brand" href=${href({ panel: '' })} aria-label="relent, overview"><svg viewBox="0 0 16 16" aria-hidden="true"><path d="M13 8a5 5 0 1 1-2-4M11 1v3.2H7.8" /></svg><b>relent</b></a>
		<span class="who" title="instance, and your role">${o.instance || ''} · ${me.value.role}</span>
		<span class="chip ${tone}" id="stream" title=${conn.value.cause || 'age of the data: ' + dur(Math.max(0, now.value - heard.value) / 1000)}><${Icon} name=${icon} />${word}<small>${more}</small></span>
		${conn.value.state === 'reconnecting' && html`<${Button} id="retry" onClick=${reconnect}>Retry now<//>`}
		<span class="gap" />
		<label class="search"><svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d="M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9M10.5 10.5L14 14" /></svg>
			<input id="filter" ref=${box} type="search" placeholder="policy:binance.*" aria-label="Filter" value=${v.filter} onInput=${e => go({ filter: e.target.value }, true)} /><kbd>/</kbd></label>
		<span class="group" role="group" aria-label="Range">${Object.keys(spans).map(r => html`<button type="button" aria-pressed=${v.range === r && !v.zoom} onClick=${() => go({ range: r, zoom: '' })}>${r}</button>`)}
			${v.zoom && html`<button type="button" id="now" onClick=${() => go({ zoom: '' })}>now</button>`}</span>
		<${Button} id="pause" icon=${paused.value ? 'play' : 'pause'} label=${paused.value ? 'Go on (p)' : 'Pause (p)'} aria-pressed=${paused.value} onClick=${() => go({ paused: paused.value ? '' : '1' }, true)} />
		<${Button} icon="rows" label="Row height" aria-pressed=${!!prefs.value.density} onClick=${() => prefer({ density: prefs.value.density ? '' : 'roomy' })} />
		<${Button} icon="sun" label=${'Theme: ' + (prefs.value.theme || 'as the system')} onClick=${() => prefer({ theme: { '': 'light', light: 'dark', dark: '' }[prefs.value.theme || ''] })} />
		<${Button} id="menu" label="Views, keys and account" onClick=${() => (dialog.value = { kind: 'help' })}>${me.value.auth ? me.value.name : '?'}<//>
		<${Button} id="stop" kind="danger" icon="stop" aria-disabled=${!!mayNot()} title=${mayNot() || 'Stop retries, or everything'} onClick=${() => mayNot() || (dialog.value = { kind: 'stop' })}>Stop<//>
	</header>`;
}

// The configuration of the server: that it was refused, is not in force everywhere, or has just changed.
function Config() {
	const c = topics.overview.value?.config, all = list('instances');
	if (!c) return null;
	const since = ago(c.loaded, now.value) + ' ago', fresh = now.value - Date.parse(c.loaded) < 6e4, [first, ...rest] = c.errors || [];
	const away = all.filter(i => c.hash && !fresh && i.connected && i.config && i.config !== c.hash);
	const [css, title, text, more] = !c.good ? ['ramp', 'Configuration refused', rest.length ? html`<details><summary>${first}, and ${rest.length} more</summary>${rest.map(e => html`<p>${e}</p>`)}</details>` : first, c.reloads ? 'that of ' + since + ' stays in force' : 'none is in force']
		: away.length ? ['ramp', 'Configurations differ', away.length + ' of ' + all.length + ' instances have another one: ' + away.slice(0, 3).map(i => i.name).join(', ')]
		: fresh && c.reloads > 1 ? ['drill', 'Configuration changed', '', since] : [];
	return css ? html`<div class="banner ${css}" id="config"><${Icon} name="warn" /><b>${title}</b><span class="why">${text}</span><small>${more}</small></div>` : null;
}

// In every view, while anything is stopped.
export function Banner() {
	const stops = list('stops').filter(s => s.state !== 'running' || s.ramp);
	return html`<div class="banners"><${Config} />${stops.map(s => html`<div class="banner ${s.drill ? 'drill' : s.state === 'running' ? 'ramp' : ''}" key=${s.scope + (s.drill ? ' drill' : '')}>
		<${Icon} name="stop" /><b>${s.drill ? 'DRILL · ' : ''}${s.state === 'running' ? 'Releasing' : stateName(s.state)}</b><code>${s.scope}</code>
		${s.ramp ? html`<span>${pct(s.ramp)} admitted</span><progress value=${s.ramp} max="1" aria-label="release" />` : ''}
		${s.drill && s.processes ? html`<span class=${s.reached < s.processes ? 'bad' : ''}>reached ${s.reached} of ${s.processes} processes${s.took ? ', the last after ' + dur(s.took / 1e9) : ''}</span>` : ''}
		<span class="why">${s.reason}${s.ticket ? ' (' + s.ticket + ')' : ''}</span><small>${s.actor} · ${s.source} · ${ago(s.since, now.value)} ago${s.expires ? ' · ends in ' + ahead(s.expires, now.value) : ''}</small><span class="gap" />
		${s.drill ? '' : s.state === 'running' ? html`<${Button} kind="danger" aria-disabled=${!!mayNot()} title=${mayNot()} onClick=${() => mayNot() || (dialog.value = { kind: 'stop', scope: s.scope })}>Stop again<//>`
			: html`<${Button} class_="release" aria-disabled=${!!mayNot()} title=${mayNot()} onClick=${() => mayNot() || (dialog.value = { kind: 'resume', stop: s })}>Release…<//>`}</div>`)}</div>`;
}

const keys = [['/', 'filter'], ['p', 'pause and go on'], ['g o', 'overview'], ['g c', 'circuits'], ['g b', 'budgets'], ['g a', 'audit'], ['?', 'this'], ['Esc', 'close']];

export function Help() {
	const saved = prefs.value.saved || {};
	const name = useRef();
	const save = e => { e.preventDefault(); if (name.current.value) prefer({ saved: { ...saved, [name.current.value]: location.search || '?' } }); };
	return html`<div class="help"><h3>Saved views</h3>
		${Object.entries(saved).map(([n, q]) => html`<p class="line"><a href=${q}>${n}</a><span class="gap" /><${Button} kind="quiet" icon="open" label=${'Forget ' + n} onClick=${() => { const { [n]: _, ...rest } = saved; prefer({ saved: rest }); }} /></p>`)}
		<form class="line" onSubmit=${save}><input ref=${name} placeholder="Name of this view" aria-label="Name of this view" maxlength="40" /><button class="button">Save</button></form>
		<h3>Keys</h3><dl>${keys.map(([k, d]) => html`<dt><kbd>${k}</kbd></dt><dd>${d}</dd>`)}</dl>
		<p>No key stops anything. The API is at <a href="api/v1/view">api/v1</a>, its <a href="api/v1/schema">schemas</a> too.</p>
		${me.value.auth ? html`<p class="line">${me.value.name}, ${me.value.role}<span class="gap" /><${Button} onClick=${() => api('session', null, 'DELETE').then(() => location.reload())}>Sign out<//></p>` : html`<p>Nobody signs in here: this address is on this machine only.</p>`}</div>`;
}
