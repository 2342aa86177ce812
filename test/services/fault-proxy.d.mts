/** How a connection ends: by RST, in order, or never, staying silent. */
export type Cut = 'reset' | 'fin' | 'stall'

/** See the top of the program for what each does. */
export interface FaultRules {
  readonly latency?: number
  readonly jitter?: number
  readonly connectDelay?: number
  /** Bytes a second. */
  readonly down?: number
  readonly up?: number
  /** Bytes since the connection began. */
  readonly cutDown?: number
  readonly cutUp?: number
  readonly how?: Cut
  readonly times?: number
  readonly refuse?: boolean
}

export interface FaultProxy {
  /** Where it listens, on 127.0.0.1. */
  readonly port: number
  readonly stats: { readonly connections: number; readonly cut: number; readonly down: number; readonly up: number }
  /** The rules from now on; `{}` lets all pass. */
  set(rules: FaultRules): void
  /** Ends the open connections now and answers how many they were. New ones pass. */
  cut(how?: Cut): number
  close(): Promise<void>
}

export function faultProxy(options: { readonly target: number; readonly targetHost?: string }): Promise<FaultProxy>
