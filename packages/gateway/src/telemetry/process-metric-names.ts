/** The metrics of the process itself; part of the list in `metric-names.ts`. */

export const PROCESS_METRICS = {
  buildInfo: {
    name: 'sallyport.build_info',
    kind: 'gauge',
    attributes: ['version', 'node'],
    meaning: 'Always 1; the labels say what runs.',
  },
  residentMemory: {
    name: 'sallyport.process.resident_memory',
    kind: 'gauge',
    unit: 'By',
    attributes: [],
    meaning: 'Resident memory of the gateway.',
  },
  cpu: {
    name: 'sallyport.process.cpu',
    kind: 'counter',
    unit: 's',
    attributes: [],
    meaning: 'CPU time of the gateway, user and system.',
  },
  startTime: {
    name: 'sallyport.process.start_time',
    kind: 'gauge',
    unit: 's',
    attributes: [],
    meaning: 'When the process started, since the epoch.',
  },
  loopDelay: {
    name: 'sallyport.event_loop.delay',
    kind: 'gauge',
    unit: 's',
    attributes: ['quantile'],
    meaning: 'How long the event loop was held up, in the last quarter to half minute, or since the last collection.',
  },
} as const;
