import type { ComponentChildren } from 'preact'
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { createApi } from './api/api.ts'
import { apiBaseUrl } from './api/api-base-url.ts'
import { ApiContext } from './api/api-context.ts'
import type { ApiError } from './api/api-error.ts'
import { refusalSentence } from './api/refusal-sentence.ts'
import { KeyForm } from './pages/key-form.tsx'
import { Page } from './pages/page.tsx'
import { SiteHeader } from './parts/site-header.tsx'
import type { Route } from './route.ts'
import { session } from './session.ts'
import { useRoute } from './use-route.ts'

/** The whole page: the key form, or what the address names. */
export function App() {
  const route = useRoute()
  const [key, setKey] = useState(session.load)
  const [notice, setNotice] = useState<string>()

  const signIn = (newKey: string) => {
    session.save(newKey)
    setNotice(undefined)
    setKey(newKey)
  }
  const signOut = (reason?: string) => {
    session.clear()
    setNotice(reason)
    setKey(null)
  }
  const api = useMemo(() => {
    const onKeyRefused = (error: ApiError) => signOut(refusalSentence(error))
    return key === null
      ? undefined
      : createApi({ baseUrl: apiBaseUrl, key, fetch: (request) => fetch(request), onKeyRefused })
  }, [key])

  return (
    <>
      <SiteHeader page={route.page} signOut={api && (() => signOut('You are signed out.'))} />
      <Main focusKey={focusKeyOf(route)}>
        {api ? (
          <ApiContext.Provider value={api}>
            <Page route={route} />
          </ApiContext.Provider>
        ) : (
          <KeyForm notice={notice} onKey={signIn} />
        )}
      </Main>
    </>
  )
}

/** Another page moves the focus to its start; another range or search on the same page leaves it where it is. */
function focusKeyOf(route: Route): string {
  const { page, deviceId, metricId, ruleId, webhookId }: Ids = route
  return [page, deviceId, metricId, ruleId, webhookId].join(' ')
}

interface Ids {
  page: string
  deviceId?: string
  metricId?: string | undefined
  ruleId?: string | undefined
  webhookId?: string
}

function Main({ focusKey, children }: { focusKey: string; children: ComponentChildren }) {
  const element = useRef<HTMLElement>(null)
  const focused = useRef(focusKey)
  useEffect(() => {
    if (focused.current === focusKey) return
    focused.current = focusKey
    element.current?.focus()
    window.scrollTo(0, 0)
  }, [focusKey])
  return (
    <main ref={element} tabIndex={-1}>
      {children}
    </main>
  )
}
