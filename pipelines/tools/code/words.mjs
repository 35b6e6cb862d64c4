// Asks an OpenAI-compatible endpoint (chat completions) for a text.
import {tools} from '../install.mjs'
import {Failure, oneLine} from './outcome.mjs'

const {BASE_URL, MODEL, OPENAI_API_KEY} = process.env

/** Gives the answer's text. An endpoint that refuses, says nothing or was cut short is a failure. */
export async function write(system, user) {
  if (!MODEL) throw new Failure('base-url is set and model is not: name the model that the endpoint is to use')
  const {load} = await tools('code')
  const {default: OpenAI} = await load('openai')
  // The step's own retry is the one that counts, so that each attempt is seen.
  const client = new OpenAI({baseURL: BASE_URL, apiKey: OPENAI_API_KEY || 'none', maxRetries: 0, timeout: 120_000})
  let answer
  try {
    answer = await client.chat.completions.create({model: MODEL, messages: [{role: 'system', content: system}, {role: 'user', content: user}]})
  } catch (err) {
    throw new Failure(`${MODEL} at ${BASE_URL} refused: ${oneLine(err.cause?.message ?? err.message)}`)
  }
  const choice = answer?.choices?.[0]
  if (!choice?.message?.content?.trim()) throw new Failure(`${MODEL} at ${BASE_URL} answered without a text`)
  if (choice.finish_reason === 'length') throw new Failure(`${MODEL} at ${BASE_URL} stopped in the middle of its text`)
  return choice.message.content
}
